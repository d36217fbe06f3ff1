"""Telling other systems what happened: budget alerts, approvals that wait, stops and quarantines, as signed POSTs."""
