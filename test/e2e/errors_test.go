package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// oneClearSentence wants a refusal as a person can read it: one line on stderr
// that says what, an exit code that is not 0, and nothing on stdout.
func oneClearSentence(t *testing.T, r result, says string) {
	t.Helper()
	line := strings.TrimSuffix(r.stderr, "\n")
	switch {
	case r.code == 0:
		t.Errorf("succeeded, wanted a refusal that says %q: %s", says, r.stdout)
	case r.stdout != "":
		t.Errorf("a refusal prints to stdout: %q", r.stdout)
	case !strings.HasPrefix(line, "parley: ") || strings.ContainsAny(line, "\n\t") || len(line) > 300:
		t.Errorf("not one clear sentence: %q", r.stderr)
	case strings.Contains(line, "goroutine") || strings.Contains(line, "panic") || strings.Contains(line, ".go:") || strings.Contains(line, "*string") || strings.Contains(line, "0x"):
		t.Errorf("a dump: %q", r.stderr)
	case !strings.Contains(line, says):
		t.Errorf("%q does not say %q", line, says)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := "postgres://nobody:hunter2@127.0.0.1:1/x"
	held := []string{"--data", t.TempDir()}
	p := serve(t, held)
	a := p.tenant("A")
	for _, c := range []struct {
		args string
		says string
	}{
		{"bogus", "unexpected argument bogus"},
		{"tenant", "expected one of"},
		{"tenant bogus", "bogus"},
		{"version extra", "unexpected argument extra"},
		{"serve --bogus", "unknown flag --bogus"},
		{"serve --listen foo", "--listen wants HOST:PORT"},
		{"serve --workers abc", "--workers"},
		{"serve --grace soon", "--grace"},
		{"serve --roles api,cook", "--roles must be one of"},
		{"serve --roles=", "--roles must name at least one"},
		{"serve --log-level loud", "--log-level must be one of"},
		{"serve --demo", "--demo needs --simulate"},
		{"serve --max-body 5", "--max-body must be at least"},
		{"serve --egress-allow 10.0.0.0/99", "--egress-allow"},
		{"serve --database mysql://x", "postgres://"},
		{"serve --secret-key abc --listen 127.0.0.1:0", "32 bytes"},
		{"serve --pprof 0.0.0.0:1 --listen 127.0.0.1:0", "loopback"},
		{"serve --listen 256.0.0.1:80", "cannot listen"},
		{"tenant create", "--name"},
		{"tenant create --name=", "name is required"},
		{"tenant create --name A --code x", "code"},
		{"tenant list --data " + blocked, blocked},
		{"serve --listen 127.0.0.1:0 --data " + blocked + "/below", blocked},
		{"key create --tenant NONE --face platform", "there is no tenant NONE"},
		{"key create --tenant NONE --face fax", "--face must be one of"},
		{"key create --face platform", "--tenant"},
		{"key list --tenant NONE", "there is no tenant NONE"},
		{"key revoke --tenant NONE", "<id>"},
		{"channel connect --tenant NONE --phone-number-id 1 --waba-id 2", "PARLEY_WHATSAPP_TOKEN"},
		{"outbox unknown --tenant NONE", "there is no tenant NONE"},
		{"simulate inbox --to 919876543210", "no server runs on the data folder"},
		{"simulate reply --from 919876543210 --text x", "no server runs on the data folder"},
		{"simulate reply --from 919876543210", "--text"},
		{"backup", "<file>"},
		{"backup " + dir + "/none/x.db", dir + "/none"},
		{"restore " + dir + "/none.db", "no such file"},
		{"restore " + blocked, "is not a Parley backup"},
		{"migrate --database " + nobody, "cannot reach PostgreSQL"},
		{"tenant list --database " + nobody, "cannot reach PostgreSQL"},
		{"verify --database " + nobody, "cannot reach PostgreSQL"},
		{"doctor --database " + nobody, "cannot reach PostgreSQL"},
		{"serve --listen 127.0.0.1:0 --database " + nobody, "cannot reach PostgreSQL"},
		{"verify --database mysql://x", "postgres://"},
		{"serve --listen " + taken(t), "address already in use"},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := words(c.args)
			if !slices.Contains(args, "--data") && args[0] != "version" && args[0] != "bogus" && len(args) > 1 {
				args = append(args, "--data", t.TempDir())
			}
			r := command(t, nil, args...)
			oneClearSentence(t, r, c.says)
			if strings.Contains(r.stderr, "hunter2") {
				t.Errorf("the password is told: %s", r.stderr)
			}
		})
	}
	oneClearSentence(t, command(t, nil, with(words("serve --listen 127.0.0.1:0"), held)...), "another server is running on the data folder "+held[1])
	oneClearSentence(t, command(t, nil, with(words("key revoke --tenant "+a.code+" 65f1c0ffee65f1c0ffee65f1"), held)...), "key")
	oneClearSentence(t, command(t, nil, with(words("key create --face platform --group x --tenant "+a.code), held)...), "group must be an id")
	oneClearSentence(t, command(t, nil, with(words("outbox retry --tenant "+a.code+" 65f1c0ffee65f1c0ffee65f1"), held)...), "message")
	// What names another database does not reach the server of the data folder.
	oneClearSentence(t, command(t, nil, with(words("tenant create --name B --database "+nobody), held)...), "cannot reach PostgreSQL")
	oneClearSentence(t, command(t, nil, with(words("restore "+blocked+" --database "+nobody), held)...), "PostgreSQL")
	p.verify()
	if os.Getuid() != 0 {
		sealed := filepath.Join(dir, "sealed")
		if err := os.Mkdir(sealed, 0o500); err != nil {
			t.Fatal(err)
		}
		oneClearSentence(t, command(t, nil, "tenant", "list", "--data", sealed), "permission denied")
	}
}

// TestHelp asks every command for help.
func TestHelp(t *testing.T) {
	top := parley(t, "--help")
	if parley(t) != top {
		t.Error("parley alone does not print the help")
	}
	_, list, _ := strings.Cut(top, "\nCommands:\n")
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?)  +[A-Z]`).FindAllStringSubmatch(list, -1) {
		all = append(all, m[1])
		if group, _, nested := strings.Cut(m[1], " "); nested && !slices.Contains(all, group) {
			all = append(all, group)
		}
	}
	for _, want := range []string{"serve", "migrate", "tenant create", "key create", "simulate inbox", "simulate reply", "verify", "backup", "restore", "doctor", "version"} {
		if !slices.Contains(all, want) {
			t.Errorf("the help does not list %q in %v", want, all)
		}
	}
	groups := []string{"tenant", "key", "token", "channel", "outbox", "simulate"}
	for _, c := range all {
		help := parley(t, append(words(c), "--help")...)
		if !strings.Contains(help, "Example") || !strings.Contains(help, "    parley "+c) && !strings.Contains(help, "  parley "+c) {
			t.Errorf("the help of %s shows no example:\n%s", c, help)
		}
		if c == "version" || slices.Contains(groups, c) {
			continue
		}
		for _, flag := range []string{"--data", "--database", "$PARLEY_DATA", "$PARLEY_DATABASE"} {
			if !strings.Contains(help, flag) {
				t.Errorf("%s does not take %s", c, flag)
			}
		}
	}
}
