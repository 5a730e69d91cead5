package message

import (
	"bytes"
	"strings"
	"testing"
)

func BenchmarkParse(b *testing.B) {
	var src bytes.Buffer
	src.WriteString("From: a@b\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=\"bound\"\r\n\r\n--bound\r\n\r\n")
	for range 20000 {
		src.WriteString(strings.Repeat("x", 76) + "\r\n")
	}
	src.WriteString("--bound--\r\n")
	r := bytes.NewReader(src.Bytes())
	b.SetBytes(int64(src.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(r, int64(src.Len())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSmall(b *testing.B) {
	src := []byte("Return-Path: <a@b>\r\nReceived: from x by y\r\n\tfor z\r\nFrom: Anna <a@b.c>\r\nTo: b@c, d@e\r\nSubject: hello\r\nDate: Mon, 2 Jan 2006 15:04:05 -0700\r\nMessage-ID: <1@2>\r\n\r\n" + strings.Repeat("some text here\r\n", 40))
	r := bytes.NewReader(src)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(r, int64(len(src))); err != nil {
			b.Fatal(err)
		}
	}
}
