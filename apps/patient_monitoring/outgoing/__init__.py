"""What leaves the gateway, in the languages of a hospital: HL7 v2, FHIR, syslog and CEF."""
