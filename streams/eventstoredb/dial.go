package eventstoredb

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	// maxMessage is the largest message that official clients take.
	maxMessage = 17 << 20
	// streamWindow is how much of one read may be on its way, and
	// connectionWindow of all together. The first keeps a fast reader fed; a slow
	// one does not use up the second.
	streamWindow     = 1 << 20
	connectionWindow = 8 << 20
)

// dial makes a connection, which is established by its first call.
func dial(cfg *esdb.Configuration, address string, more []grpc.DialOption) (*grpc.ClientConn, error) {
	secure, err := transport(cfg)
	if err != nil {
		return nil, err
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connectionWindow),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: lastPause}, MinConnectTimeout: 2 * time.Second}),
		grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
	}
	if cfg.KeepAliveInterval >= 0 {
		opts = append(opts, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: cfg.KeepAliveInterval, Timeout: cfg.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	if cfg.Username != "" && !cfg.DisableTLS { // a password never travels in the clear
		opts = append(opts, grpc.WithPerRPCCredentials(basicAuth{cfg.Username, cfg.Password}))
	}
	conn, err := grpc.NewClient("passthrough:///"+address, append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return conn, nil
}

func transport(cfg *esdb.Configuration) (credentials.TransportCredentials, error) {
	if cfg.DisableTLS {
		return insecure.NewCredentials(), nil
	}
	c := &tls.Config{RootCAs: cfg.RootCAs, InsecureSkipVerify: cfg.SkipCertificateVerification, MinVersion: tls.VersionTLS12}
	if cfg.UserCertFile != "" {
		cert, err := tls.LoadX509KeyPair(cfg.UserCertFile, cfg.UserKeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return credentials.NewTLS(c), nil
}

// basicAuth signs every call with a user's name and password.
type basicAuth struct{ user, password string }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b basicAuth) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(b.user+":"+b.password))}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (basicAuth) RequireTransportSecurity() bool { return true }

// candidates are the addresses of a connection string, in random order, and
// whether they are members of a cluster that are asked which of them to use.
func candidates(cfg *esdb.Configuration) (addresses []string, cluster bool) {
	if len(cfg.GossipSeeds) == 0 {
		return []string{cfg.Address}, cfg.DnsDiscover
	}
	for _, seed := range cfg.GossipSeeds {
		addresses = append(addresses, seed.String())
	}
	rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
	return addresses, true
}

// recommended asks a member of a cluster which member to use.
func recommended(ctx context.Context, conn *grpc.ClientConn, preference esdb.NodePreference) (string, error) {
	info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return "", fmt.Errorf("gossip: %w", err)
	}
	best := pick(info.GetMembers(), preference)
	if best == nil {
		return "", errors.New("gossip: no member of the cluster can be used")
	}
	e := best.GetHttpEndPoint()
	return net.JoinHostPort(e.GetAddress(), strconv.Itoa(int(e.GetPort()))), nil
}

// pick chooses among the members that live and serve: first the kind that is
// preferred, then any.
func pick(members []*gossip.MemberInfo, preference esdb.NodePreference) *gossip.MemberInfo {
	leaders := []gossip.MemberInfo_VNodeState{gossip.MemberInfo_Leader}
	followers := []gossip.MemberInfo_VNodeState{gossip.MemberInfo_Follower}
	replicas := []gossip.MemberInfo_VNodeState{gossip.MemberInfo_ReadOnlyReplica, gossip.MemberInfo_PreReadOnlyReplica, gossip.MemberInfo_ReadOnlyLeaderless}
	preferred := map[esdb.NodePreference][]gossip.MemberInfo_VNodeState{
		esdb.NodePreferenceLeader: leaders, esdb.NodePreferenceFollower: followers, esdb.NodePreferenceReadOnlyReplica: replicas,
	}[preference]
	var usable []*gossip.MemberInfo
	for _, m := range members {
		if m.GetIsAlive() && m.GetHttpEndPoint() != nil && slices.Contains(slices.Concat(leaders, followers, replicas), m.GetState()) {
			usable = append(usable, m)
		}
	}
	rand.Shuffle(len(usable), func(i, j int) { usable[i], usable[j] = usable[j], usable[i] })
	for _, m := range usable {
		if slices.Contains(preferred, m.GetState()) {
			return m
		}
	}
	if len(usable) == 0 {
		return nil
	}
	return usable[0]
}
