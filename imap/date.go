package imap

import (
	"bytes"
	"time"
)

var months = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// DateTimeLayout is the form of date-time on the wire, for package time.
const DateTimeLayout = "_2-Jan-2006 15:04:05 -0700"

// Date reads a date and returns its midnight in UTC.
//
//	date      = date-text / DQUOTE date-text DQUOTE
//	date-text = date-day "-" date-month "-" date-year
func (d *Decoder) Date() time.Time {
	start := d.pos
	quoted := d.Try('"')
	t := d.monthYear(start, d.day())
	if quoted {
		d.Expect('"')
	}
	if d.err != nil {
		return time.Time{}
	}
	return t
}

// day reads a day of the month.
//
//	date-day = 1*2DIGIT
func (d *Decoder) day() int {
	start := d.pos
	n := d.number(31, "a day")
	if d.pos-start > 2 {
		d.failAt(start, "a day of at most two digits")
	}
	return int(n)
}

// monthYear reads the rest of a date.
//
//	date-year = 4DIGIT
func (d *Decoder) monthYear(start, day int) time.Time {
	d.Expect('-')
	month := d.month()
	d.Expect('-')
	digits := d.pos
	year := int(d.number(9999, "a year"))
	if d.pos-digits != 4 {
		d.failAt(digits, "a year of four digits")
	}
	t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if d.err == nil && (t.Day() != day || t.Month() != month) {
		d.failAt(start, "a day that the month has")
	}
	if d.err != nil {
		return time.Time{}
	}
	return t
}

func (d *Decoder) month() time.Month {
	if d.err == nil && len(d.b)-d.pos >= 3 {
		for i, m := range months {
			if bytes.EqualFold(d.b[d.pos:d.pos+3], []byte(m)) {
				d.pos += 3
				return time.Month(i + 1)
			}
		}
	}
	d.Fail("a month such as Jan")
	return 1
}

// DateTime reads a date-time.
//
//	date-time      = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
//	date-day-fixed = (SP DIGIT) / 2DIGIT
//
// A day of one digit without the blank is forgiven.
func (d *Decoder) DateTime() time.Time {
	d.Expect('"')
	start := d.pos
	d.Try(' ')
	t := d.monthYear(start, d.day())
	d.SP()
	h := d.number(23, "an hour")
	d.Expect(':')
	m := d.number(59, "a minute")
	d.Expect(':')
	s := d.number(60, "a second")
	d.SP()
	zone := d.zone()
	d.Expect('"')
	if d.err != nil {
		return time.Time{}
	}
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	return t.Add(clock - time.Duration(zone)*time.Second).In(time.FixedZone("", zone))
}

// zone reads a zone and returns its seconds east of UTC.
//
//	zone = ("+" / "-") 4DIGIT
func (d *Decoder) zone() int {
	sign := 1
	if d.Try('-') {
		sign = -1
	} else {
		d.Expect('+')
	}
	start := d.pos
	n := int(d.number(9959, "a time zone of four digits"))
	if d.pos-start != 4 || n%100 > 59 || n > 2359 {
		d.failAt(start, "a time zone of four digits")
	}
	return sign * (n/100*3600 + n%100*60)
}
