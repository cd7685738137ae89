"""What comes in: HL7 v2, wearables' JSON and FHIR, each read into one neutral form."""
