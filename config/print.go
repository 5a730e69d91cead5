package config

import (
	"fmt"
	"io"
	"strings"
)

// Print writes every setting with its value, where it came from, its default
// and its help, in the syntax of a settings file.
func (l *Loaded) Print(w io.Writer, courier bool) error {
	for i, v := range l.Values {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "# %s (%s)\n", v.Help, v.Type)
		if v.Note != "" {
			fmt.Fprintf(w, "# note: %s\n", v.Note)
		}
		if _, err := fmt.Fprintf(w, "%s=%s # from %s; default %s\n", v.Name, quote(v.Text), v.Source, quote(v.DefaultFor(courier))); err != nil {
			return err
		}
	}
	return nil
}

// quote is the text as an assignment's value that reads back as the same.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Markdown is the table of settings for people.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| setting | values | default | with Courier's files | what it does |\n|---|---|---|---|---|\n")
	for _, s := range Settings() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, s.Type, code(s.Default), code(s.Courier), s.Help)
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
