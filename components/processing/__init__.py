"""Who answers for the data, in the words of GDPR Article 30."""
