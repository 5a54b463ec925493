package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo is what `kontrol version --format json` gives.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Time     string `json:"revision_time"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Schema   int64  `json:"schema"`
}

func (c *cli) versionCommand() *cobra.Command {
	return c.command("version", "cli.version", func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 0, 0); err != nil {
			return err
		}
		v := readVersion()
		if c.flags.format == formatJSON {
			return c.out.json(v)
		}
		rows := [][2]string{
			{c.Text("cli.version.version"), v.Version},
			{c.Text("cli.version.revision"), v.Revision},
			{c.Text("cli.version.time"), v.Time},
			{c.Text("cli.version.go"), v.Go + " " + v.Platform},
			{c.Text("cli.version.schema"), c.Text("cli.version.schema_number", "Number", v.Schema)},
		}
		if v.Modified {
			rows[1][1] += " " + c.Text("cli.version.modified")
		}
		return c.facts(rows)
	})
}

func readVersion() versionInfo {
	v := versionInfo{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Schema: schemaVersion()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
