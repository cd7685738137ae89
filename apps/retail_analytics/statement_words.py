"""The words of the privacy statement, by language; numbers and names come from settings."""

EN = {
    "all": """# What {station} does with people in its cameras' view

Site: {site}, {area}. This page is made by the software from its settings. Purpose, legal
basis, the controller's name and whom to ask are to be added by whoever runs the shop.

## What is processed

{cameras}

In every picture a network looks for people and gives a rectangle around each. The rectangles
become places on the floor, and the places become counts: crossings of lines, time spent in
zones, queues, people inside, and where on the floor time is spent. Nothing else is made of a
picture: no face, age, sex, mood, gait, clothing or number plate, and nobody is recognised
again, neither by another camera nor on another visit.

## Pictures

- Masked parts are painted over in the pixels before anything looks at a picture.
- Pictures are in working memory for at most {seconds} s waiting and 2 s in all, then gone.
- No picture is ever written to a disk, sent, or shown. While lines and masks are drawn an
  engineer, by name and with a reason that is kept, can see at most 64 × 36 mean colours of
  the masked picture, once in 5 s; these are not kept.

## People

- A person followed by a camera has a random number, which is never used again. It ends
  {lost_s} s after the camera lost them; the rules forget place and time {forget_s} s later
  at most.
- So that one person is not counted as two, everybody counted bears a running mark until the
  interval is closed, in memory. A minute after the camera lost somebody nothing knows any
  more which mark that was, and where they walked is part of sums only.

## What is published

- Counts of aligned intervals of {minutes} min. A count of 1 to {minus} people is not told.
  {merge}
- How long people stayed and waited: only of {k} people and more in an interval, and how many
  these were to the nearest five.
- Heat map: seconds in cells of {cell} m that at least {k} people walked through.
- An interval that was observed for less than {usable} % says nothing but why. One that was
  cut by a start, a stop, a set-up or a set clock is marked and judged by the part that there
  was, of which less than a tenth of the interval says nothing.
- The table in which intervals are kept refuses smaller counts and overlapping intervals.

## What is shown live, and kept by nobody

- People inside: to the nearest five, once a minute, "few" below {k}. {limit}
- Each queue: its mean length of the last minute and an estimate of the wait. {call}

## What is kept here, and for how long

| what | how long |
|---|---|
| pictures | never |
| numbers and places of people followed | a minute, in memory |
| people inside: to the nearest five, nobody below {k}, with when they were last counted | \
until the next number, for a restart |
| published intervals | {intervals_days} days |
| records of intervals, alarms, set-up and corrections | {records_days} days |
| who did what at the station (audit) | as long as the station's file |

## Who gets anything

{sent}

Published intervals, alarms and the audit trail are all that can be sent.
""",
    "camera": "- **{name}** ({source}): {width} × {height} px, {fps} pictures a second. "
    "Lines: {lines}. Zones: {zones}. Masked: {masks}.",
    "none": "none",
    "drawn": "a drawn shop, nobody is in it",
    "real": "a camera",
    "merged": "It waits and is added to the next, for {minutes} min at most; what is still too "
    "small then stays untold.",
    "unmerged": "It stays untold.",
    "limit": "An alarm says when more than {limit} are inside.",
    "no_limit": "No limit is set.",
    "calls": "Staff is called when {length} or more wait for {seconds} s; the call is kept as "
    "an alarm, with the limit and not the number.",
    "no_calls": "No queue is watched.",
    "mqtt": "the broker at {host}, by MQTT",
    "webhook": "the server at {host}, by HTTP",
    "notification": "people who are told of alarms{host}: the alarm's text only",
    "nobody": "nobody: nothing leaves this device",
}
DE = {
    "all": """# Was {station} mit Menschen im Blick seiner Kameras tut

Ort: {site}, {area}. Diese Seite macht die Software aus ihren Einstellungen. Zweck,
Rechtsgrundlage, Verantwortlichen und Ansprechpartner ergänzt, wer den Laden betreibt.

## Was verarbeitet wird

{cameras}

In jedem Bild sucht ein Netz nach Menschen und gibt ein Rechteck um jeden an. Aus den
Rechtecken werden Orte auf dem Boden, aus den Orten Zählungen: Übertritte von Linien,
Aufenthalt in Zonen, Warteschlangen, Menschen im Laden, und wo auf dem Boden Zeit verbracht
wird. Sonst wird aus einem Bild nichts gemacht: kein Gesicht, Alter, Geschlecht, keine
Stimmung, kein Gang, keine Kleidung, kein Kennzeichen; und niemand wird wiedererkannt, weder
von einer anderen Kamera noch bei einem anderen Besuch.

## Bilder

- Maskierte Teile werden in den Bildpunkten übermalt, bevor irgendetwas ein Bild ansieht.
- Bilder warten höchstens {seconds} s im Arbeitsspeicher und sind nach 2 s fort.
- Kein Bild wird je auf einen Datenträger geschrieben, gesendet oder gezeigt. Während Linien
  und Masken gezeichnet werden, sieht ein Techniker, namentlich und mit aufbewahrter
  Begründung, höchstens 64 × 36 mittlere Farben des maskierten Bildes, einmal in 5 s; sie
  werden nicht aufbewahrt.

## Menschen

- Wem eine Kamera folgt, der hat eine zufällige Nummer, die nie wieder verwendet wird. Sie
  endet {lost_s} s, nachdem die Kamera ihn verloren hat; Ort und Zeit vergessen die Regeln
  spätestens {forget_s} s danach.
- Damit ein Mensch nicht zweimal zählt, trägt jeder Gezählte bis zum Ende des Zeitabschnitts
  im Speicher eine laufende Marke. Eine Minute, nachdem die Kamera ihn verloren hat, weiß
  nichts mehr, welche das war, und wo er ging, steckt nur noch in Summen.

## Was veröffentlicht wird

- Zählungen ausgerichteter Zeitabschnitte von {minutes} min. Eine Zählung von 1 bis {minus}
  Menschen wird nicht genannt. {merge}
- Wie lange Menschen blieben und warteten: nur von {k} Menschen an in einem Zeitabschnitt, und
  wie viele das waren, auf fünf gerundet.
- Wärmebild: Sekunden in Feldern von {cell} m, durch die mindestens {k} Menschen gingen.
- Ein Zeitabschnitt, der zu weniger als {usable} % beobachtet wurde, sagt nur, warum. Einer,
  den ein Start, ein Ende, eine Einrichtung oder eine gestellte Uhr angeschnitten hat, ist
  gekennzeichnet und wird nach dem Teil beurteilt, den es gab; weniger als ein Zehntel des
  Zeitabschnitts sagt nichts.
- Die Tabelle, in der sie stehen, verweigert kleinere Zählungen und sich überlappende
  Zeitabschnitte.

## Was live gezeigt und nicht aufbewahrt wird

- Menschen im Laden: auf fünf gerundet, einmal in der Minute, unter {k} „wenige“. {limit}
- Jede Warteschlange: ihre mittlere Länge der letzten Minute und eine Schätzung der Wartezeit.
  {call}

## Was hier aufbewahrt wird, und wie lange

| was | wie lange |
|---|---|
| Bilder | nie |
| Nummern und Orte von Menschen, denen gefolgt wird | eine Minute, im Speicher |
| Menschen im Laden: auf fünf gerundet, unter {k} niemand, und wann zuletzt gezählt wurde | \
bis zur nächsten Zahl, für einen Neustart |
| veröffentlichte Zeitabschnitte | {intervals_days} Tage |
| Aufzeichnungen: Zeitabschnitte, Alarme, Einrichtung, Korrekturen | {records_days} Tage |
| wer an der Station was getan hat (Protokoll) | so lange wie die Datei der Station |

## Wer etwas bekommt

{sent}

Veröffentlichte Zeitabschnitte, Alarme und das Protokoll sind alles, was gesendet werden kann.
""",
    "camera": "- **{name}** ({source}): {width} × {height} px, {fps} Bilder in der Sekunde. "
    "Linien: {lines}. Zonen: {zones}. Maskiert: {masks}.",
    "none": "keine",
    "drawn": "ein gezeichneter Laden, niemand ist darin",
    "real": "eine Kamera",
    "merged": "Sie wartet und kommt zur nächsten, höchstens {minutes} min lang; was dann noch "
    "zu klein ist, bleibt ungenannt.",
    "unmerged": "Sie bleibt ungenannt.",
    "limit": "Ein Alarm sagt, wenn mehr als {limit} im Laden sind.",
    "no_limit": "Eine Grenze ist nicht gesetzt.",
    "calls": "Personal wird gerufen, wenn {length} oder mehr {seconds} s lang warten; der Ruf "
    "wird als Alarm aufbewahrt, mit der Grenze und nicht mit der Zahl.",
    "no_calls": "Keine Warteschlange wird beobachtet.",
    "mqtt": "der Broker {host}, über MQTT",
    "webhook": "der Server {host}, über HTTP",
    "notification": "wem Alarme gemeldet werden{host}: nur der Text des Alarms",
    "nobody": "niemand: nichts verlässt dieses Gerät",
}
WORDS = {"en": EN, "de": DE}
