// Package mysql is accounts in a MySQL or MariaDB database, with courier-authlib's
// authmysqlrc. It knows how to reach the database; the rest is package sqlquery's.
package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"postrider/auth/rcfile"
	"postrider/auth/sqlquery"
)

// Open reads the authmysqlrc at path.
func Open(path string, o sqlquery.Options) (*sqlquery.Table, error) {
	return sqlquery.Open(path, sqlquery.Driver{
		Prefix:  "MYSQL_",
		Dialect: sqlquery.Dialect{Parameter: func(int) string { return "?" }, Backslash: true, DoubleQuoted: true, HashIsComment: true},
		Connect: connect,
		Unwritable: func(err error) bool {
			var e *driver.MySQLError
			return errors.As(err, &e) && (e.Number == mixOfCollations || e.Number == wrongString || e.Number == noConversion)
		},
	}, o)
}

// Numbers of errors that say that a text has no form in a column's character set.
const (
	mixOfCollations = 1267
	wrongString     = 1366
	noConversion    = 3854
)

const (
	connectTime = 5 * time.Second
	answerTime  = 10 * time.Second
)

func connect(v rcfile.Values) (*sql.DB, error) {
	c := driver.NewConfig()
	c.User, c.Passwd, c.DBName = v["MYSQL_USERNAME"], v["MYSQL_PASSWORD"], v["MYSQL_DATABASE"]
	c.Timeout, c.ReadTimeout, c.WriteTimeout = connectTime, answerTime, answerTime
	port, err := v.Int("MYSQL_PORT")
	if err != nil {
		return nil, err
	}
	if port == 0 {
		port = 3306
	}
	server := v.Or("MYSQL_SERVER", "localhost")
	switch socket := v["MYSQL_SOCKET"]; {
	case socket != "":
		c.Net, c.Addr = "unix", socket
	case server == "localhost" && v["MYSQL_PORT"] == "": // as the C library has it
		c.Net, c.Addr = "unix", "/run/mysqld/mysqld.sock"
	default:
		c.Net, c.Addr = "tcp", server+":"+strconv.Itoa(port)
	}
	if c.TLS, err = tlsConfig(v, server); err != nil {
		return nil, err
	}
	if set := v["MYSQL_CHARACTER_SET"]; set != "" {
		if err := c.Apply(driver.Charset(set, "")); err != nil {
			return nil, fmt.Errorf("MYSQL_CHARACTER_SET: %w", err)
		}
	}
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// tlsConfig is TLS where one of the settings of an authority is set, as Courier has it;
// the server's name is checked.
func tlsConfig(v rcfile.Values, server string) (*tls.Config, error) {
	file, dir := v["MYSQL_SSL_CACERT"], v["MYSQL_SSL_CAPATH"]
	if file == "" && dir == "" {
		return nil, nil
	}
	files := []string{file}
	if file == "" {
		var err error
		if files, err = filepath.Glob(filepath.Join(dir, "*")); err != nil {
			return nil, err
		}
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: server, RootCAs: x509.NewCertPool()}
	found := false
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("authorities of the database's certificate: %w", err)
		}
		found = c.RootCAs.AppendCertsFromPEM(pem) || found
	}
	if !found {
		return nil, errors.New("MYSQL_SSL_CACERT or MYSQL_SSL_CAPATH has no certificate")
	}
	if cert := v["MYSQL_SSL_CERT"]; cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, v.Or("MYSQL_SSL_KEY", cert))
		if err != nil {
			return nil, fmt.Errorf("MYSQL_SSL_CERT: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
