package config

import (
	"reflect"
	"slices"
	"testing"
)

// Every setting either goes to the processes of the users or does not, and somebody
// has thought about which.
func TestOfSessions(t *testing.T) {
	kept := []string{"Listen", "ListenTLS", "MaxConnections", "MaxPerAddress", "MaxPerNetwork", "CertFile", "KeyFile", "MinTLS",
		"StartTLS", "RequireTLS", "Modules", "Userdb", "User", "Skeleton", "ProcessModel", "FrontUser", "FrontDir", "AuthUser",
		"WorkerLinger", "LoginTimeout", "LDAPCACert", "LDAPRequireCert", "AuthDir",
		"AuthdaemonDir", "TimeoutConnect", "TimeoutWrite", "TimeoutRead", "DebugLogin", "LoggerOptions", "ServeSockets",
		"DovecotSockets", "DovecotMode", "DovecotOwner", "DefaultDomain", "DomainSeparators", "DefaultOptions", "Mechanisms",
		"ChannelBinding", "AuthSecretFile", "OAuth", "AuthCacheTTL",
		"ALPN", "VerifyPeer", "TrustCerts", "External", "PasswdFile", "ShadowFile", "PAMHelper", "AuthpipeProgram", "AuthProgram",
		"AuthProcesses", "Metrics", "ACME", "AccessFile", "Proxied", "TCPDOthers", "AuthWords",
		// of imapd in Courier's chain alone
		"MemoryLimit", "LoginExec"}
	full := reflect.New(reflect.TypeFor[Config]()).Elem()
	for i := range full.NumField() {
		fill(t, full.Field(i))
	}
	c := full.Interface().(Config)
	given := reflect.ValueOf(*c.OfSessions())
	for i := range full.NumField() {
		name := full.Type().Field(i).Name
		goes := reflect.DeepEqual(given.Field(i).Interface(), full.Field(i).Interface())
		if stays := slices.Contains(kept, name); goes == stays {
			t.Errorf("%s goes to the users' processes: %v, stays with the server: %v; decide in OfSessions or here", name, goes, stays)
		}
	}
}

// fill sets a field to something that is not zero.
func fill(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint16, reflect.Uint32:
		v.SetUint(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("a field of kind %v", v.Kind())
	}
}
