// Package connector is a place where a customer keeps data that Strata reads: an
// S3 bucket, so far. A connector is created with its settings and credentials,
// tried, and scanned: a scan says of files that hold tables which columns they
// have and what is in them.
//
// A scan is asked for, and each of its files is then reported on by itself,
// whenever its turn comes, so that a process that dies loses one file's work at
// most. When the last file is reported on, the scan is completed. Which files are
// still to be looked at is the state's to know; what was found is in the log and
// in the read model.
//
// Credentials are sealed before they become part of a fact. What a scan found in
// a customer's file (extremes, frequent values) is personal: it is sealed under a
// key of the connector's own, which can be destroyed.
package connector
