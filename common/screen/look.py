"""What only the browser can do, theme and language and coming back: the one script there is.

Streamlit keeps its theme in the browser and offers it in its own menu. The script presses
that menu's entry, so that Streamlit's widgets follow at once, without a reload and without
anybody being signed out; the menu itself is hidden. Nothing from outside gets into it.
The keyboard is where it was afterwards, on a new page at its beginning, and never in there.

A page that has not been redrawn for long, while its server answers, loads itself anew: a
panel on a wall has nobody to press F5. Until the server answers it stays covered.
"""

import json

import streamlit as st

from common.screen.markup import Html

DRAWN_MS = 20_000
"""Not redrawn for so long, a page is loaded anew."""
MENU_ENTRIES = {"system": "System", "light": "Light", "dark": "Dark"}
SCRIPT = """<script>
((wanted, lang) => {
  document.documentElement.lang = lang;
  const find = id => document.querySelector(`[data-testid="${id}"]`);
  let tries = 0;
  const again = step => { if (tries++ < 200) setTimeout(step, 25); };
  const press = () => {
    const entry = find(`stMainMenuItem-theme-${wanted}`);
    if (!entry) return again(press);
    if (entry.getAttribute("aria-checked") === "true") return close();
    entry.click();
    setTimeout(close, 50);
  };
  const button = () => find("stMainMenuButton") || find("stMainMenu")?.querySelector("button");
  const close = () => { if (find(`stMainMenuItem-theme-${wanted}`)) button()?.click(); };
  const open = () => {
    if (!button()) return again(open);
    const before = document.activeElement;
    button().click();
    press();
    setTimeout(() => restore(before), 120);
    setTimeout(() => restore(before), 800);
  };
  const restore = before => {
    button()?.setAttribute("tabindex", "-1");
    if (document.activeElement !== button()) return;
    const first = before === document.body;
    if (first) before.tabIndex = -1;
    before?.focus?.({preventScroll: true});
    if (first) before.removeAttribute("tabindex");
  };
  window.lsDrawn ??= Date.now();
  window.lsWatch ??= setInterval(async () => {
    const clock = document.querySelector(".ls-clock b")?.textContent ?? "";
    if (clock && clock !== window.lsClock) {
      window.lsClock = clock;
      window.lsDrawn = Date.now();
    }
    if (Date.now() - window.lsDrawn < %d) return;
    const health = fetch("_stcore/health", {cache: "no-store"});
    if ((await health.catch(() => null))?.ok) location.reload();
  }, 2000);
  if (window.lsTheme === wanted) return;
  window.lsTheme = wanted;
  open();
})(%s, %s);
</script>"""


def apply_look(theme: str, lang: str) -> None:
    """Have the browser take this theme and say which language the page is in."""
    wanted = MENU_ENTRIES.get(theme, "System")
    script = SCRIPT % (DRAWN_MS, json.dumps(wanted), json.dumps(lang))
    with st.container(key="ls-look"):
        st.html(Html(script), unsafe_allow_javascript=True)
