package eventstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"strata/domain"
	"strata/internal/eventstore"
	"strata/internal/eventstore/access"
	"strata/internal/eventstore/eslog"
	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
)

// certificate makes a certificate for the loopback address.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// addUser adds a user with a password that is cheap to check.
func addUser(t *testing.T, s *eventstoretest.Server, name, group string) {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, "password-of-"+name, []byte("salt"), 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawStdEncoding
	hash := "pbkdf2-sha256$1$" + enc.EncodeToString([]byte("salt")) + "$" + enc.EncodeToString(key)
	_, err = s.Server().Log().Append(background(t), domain.StreamID("$user-"+name), streams.Any, []eslog.Event{{
		ID: domain.NewEventID(), Type: "$User", ContentType: eslog.ContentJSON,
		Data: fmt.Appendf(nil, `{"loginName":%q,"hash":%q,"groups":[%q]}`, name, hash, group),
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUsersOverTLS(t *testing.T) {
	s := eventstoretest.Start(t, eventstoretest.With(func(o *eventstore.Options) {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS12}
		o.Users = true
	}))
	for name, group := range map[string]string{"admin": access.Admins, "ops": access.Operators, "ann": "people"} {
		addUser(t, s, name, group)
	}
	as := func(name, password string) *esdb.Client {
		user := ""
		if name != "" {
			user = name + ":" + password + "@"
		}
		return connect(t, "esdb://"+user+s.Addr+"?tls=true&tlsverifycert=false")
	}
	admin, ann, wrong, nobody := as("admin", "password-of-admin"), as("ann", "password-of-ann"), as("ann", "password"), as("", "")

	mustAppend(t, ann, "shared-1", esdb.NoStream{}, event("made"))
	var meta esdb.StreamMetadata
	acl := esdb.Acl{}
	acl.AddReadRoles("people")
	acl.AddWriteRoles("admin")
	acl.AddDeleteRoles("admin")
	meta.SetAcl(acl)
	if _, err := ann.SetStreamMetadata(background(t), "shared-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, meta); err != nil {
		t.Fatal(err)
	}
	appends := func(c *esdb.Client, stream string) error {
		_, err := c.AppendToStream(background(t), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, event("more"))
		return err
	}
	reads := func(c *esdb.Client, stream string) error {
		_, err := readStream(t, c, stream, esdb.ReadStreamOptions{})
		return err
	}
	all := func(c *esdb.Client) error {
		_, err := drain(c.ReadAll(background(t), esdb.ReadAllOptions{}, 10))
		return err
	}
	const ok, denied, unknown = esdb.ErrorCode(-2), esdb.ErrorCodeAccessDenied, esdb.ErrorCodeUnauthenticated
	for name, c := range map[string]struct {
		err  error
		want esdb.ErrorCode
	}{
		"the admin writes":                {appends(admin, "shared-1"), ok},
		"a user that may not write":       {appends(ann, "shared-1"), denied},
		"a user that may read":            {reads(ann, "shared-1"), ok},
		"a user that may not delete":      {second(ann.DeleteStream(background(t), "shared-1", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})), denied},
		"a user that may not bury":        {second(ann.TombstoneStream(background(t), "shared-1", tombstoneOptions())), denied},
		"nobody reads":                    {reads(nobody, "shared-1"), denied},
		"nobody writes":                   {appends(nobody, "free-1"), denied},
		"a wrong password":                {reads(wrong, "shared-1"), unknown},
		"a wrong password writes":         {appends(wrong, "free-1"), unknown},
		"a user reads everything":         {all(ann), denied},
		"the admin reads everything":      {all(admin), ok},
		"a user reads a user":             {reads(ann, "$user-ann"), denied},
		"a user writes a system stream":   {appends(ann, "$mine"), denied},
		"ops write a system stream":       {appends(as("ops", "password-of-ops"), "$mine"), ok},
		"ops write a user":                {appends(as("ops", "password-of-ops"), "$user-ops"), denied},
		"bad settings are not taken":      {badSettings(admin, t), esdb.ErrorCodeUnknown},
		"the password of one call counts": {overridden(t, ann), ok},
	} {
		if c.want == ok && c.err != nil || c.want != ok && code(c.err) != c.want {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	// A link does not show what its reader may not read.
	mustAppend(t, ann, "links-1", esdb.NoStream{}, linkTo("0@shared-1"), linkTo("0@$user-ann"))
	list, err := readStream(t, ann, "links-1", esdb.ReadStreamOptions{ResolveLinkTos: true})
	if err != nil || len(list) != 2 || list[0].Event == nil || list[1].Event != nil || list[1].Link == nil {
		t.Errorf("a user's links: %+v, %v", list, err)
	}
	sub, err := ann.SubscribeToAll(background(t), esdb.SubscribeToAllOptions{})
	if err == nil {
		e := sub.Recv()
		if e.SubscriptionDropped == nil || grpcCode(e.SubscriptionDropped.Error) != "PermissionDenied" {
			t.Errorf("a user's subscription to everything: %+v", e)
		}
	}
}

// badSettings writes settings that say nothing that can be understood.
func badSettings(c *esdb.Client, t *testing.T) error {
	e := event("update")
	e.Data = []byte(`{"$userStreamAcl":5}`)
	_, err := c.AppendToStream(background(t), "$settings", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
	return err
}

// overridden reads everything as the admin, over a user's connection.
func overridden(t *testing.T, c *esdb.Client) error {
	_, err := drain(c.ReadAll(background(t), esdb.ReadAllOptions{
		Authenticated: &esdb.Credentials{Login: "admin", Password: "password-of-admin"},
	}, 10))
	return err
}

func TestStrangersAndBatches(t *testing.T) {
	// Without TLS no client sends a password: everybody is a stranger.
	s := eventstoretest.Start(t, eventstoretest.With(func(o *eventstore.Options) { o.Users = true }))
	id := uuid.New()
	answers := exchange(t, dial(t, s.Addr), chunk(id, "some-1", true, message(uuid.New(), "1")))
	e := answers[id.String()].GetError()
	if e.GetCode() != 7 || len(e.Details) != 1 || e.Details[0].TypeUrl != "type.googleapis.com/event_store.client.AccessDenied" {
		t.Errorf("answered %v", answers)
	}
}
