// Package logs makes the log that the settings describe: structured lines, or lines
// in Courier's form for the filters that read those.
//
// It owns the table of events that Courier had a line for. It decides nothing about
// what is logged: whoever logs gives a message and attributes, and the table says
// which of them is which of Courier's lines.
package logs
