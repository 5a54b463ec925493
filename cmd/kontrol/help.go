package main

import (
	"errors"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kontrol/models"
)

// helpCommand is `kontrol help [COMMAND]`.
func (c *cli) helpCommand(root *cobra.Command) *cobra.Command {
	cmd := c.command("help", "cli.help", func(_ *cobra.Command, args []string) error {
		at := root
		for _, name := range args {
			next := child(at, name)
			if next == nil {
				return unknownCommand(at, name)
			}
			at = next
		}
		c.help(at)
		return nil
	})
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		at := root
		for _, name := range args {
			if at = child(at, name); at == nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
		}
		var names []string
		for _, sub := range at.Commands() {
			names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func child(parent *cobra.Command, name string) *cobra.Command {
	for _, sub := range parent.Commands() {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

// help writes what a command is for and how it is called.
func (c *cli) help(cmd *cobra.Command) {
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	c.out.block("", about)
	c.out.heading(c.Text("cli.help.usage"))
	c.out.line("  ", usageLine(cmd, c.Text("cli.help.command_word"), c.Text("cli.help.flags_word")))
	if cmd.HasAvailableSubCommands() {
		c.helpCommands(cmd)
	}
	if cmd.Example != "" {
		c.out.heading(c.Text("cli.help.examples"))
		c.out.block("  ", cmd.Example)
	}
	global := cmd.Root().PersistentFlags()
	c.helpFlags(c.Text("cli.help.flags"), cmd.Flags(), func(f *pflag.Flag) bool { return global.Lookup(f.Name) == nil })
	c.helpFlags(c.Text("cli.help.global_flags"), global, func(*pflag.Flag) bool { return true })
	switch {
	case !cmd.HasParent():
		c.out.heading(c.Text("cli.help.exit_codes"))
		c.out.block("  ", c.Text("cli.help.exit_codes_text"))
		fallthrough
	case cmd.HasAvailableSubCommands():
		c.out.line()
		c.out.block("", c.Text("cli.help.more", "Path", cmd.CommandPath()))
	}
}

func usageLine(cmd *cobra.Command, command, flags string) string {
	path := cmd.CommandPath()
	if cmd.HasAvailableSubCommands() {
		return path + " " + command + " [" + flags + "]"
	}
	return strings.TrimSpace(path+strings.TrimPrefix(cmd.Use, cmd.Name())) + " [" + flags + "]"
}

func (c *cli) helpCommands(cmd *cobra.Command) {
	width := 0
	for _, sub := range cmd.Commands() {
		width = max(width, len(sub.Name()))
	}
	show := func(title, group string) {
		printed := false
		for _, sub := range cmd.Commands() {
			if !sub.IsAvailableCommand() || sub.GroupID != group || sub.Name() == "help" {
				continue
			}
			if !printed {
				c.out.heading(title)
				printed = true
			}
			c.out.line("  ", c.out.paint(paintBold, pad(sub.Name(), width)), "  ", sub.Short)
		}
	}
	show(c.Text("cli.help.commands"), "")
	for _, g := range cmd.Groups() {
		show(g.Title, g.ID)
	}
}

func (c *cli) helpFlags(title string, flags *pflag.FlagSet, wanted func(*pflag.Flag) bool) {
	type row struct{ name, usage string }
	var rows []row
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || !wanted(f) {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		if f.Value.Type() != "bool" {
			name += " " + value
			if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "0" {
				usage += " " + c.Text("cli.help.default", "Value", f.DefValue)
			}
		}
		width = max(width, text.StringWidthWithoutEscSequences(name))
		rows = append(rows, row{name, usage})
	})
	if len(rows) == 0 {
		return
	}
	c.out.heading(title)
	for _, r := range rows {
		c.out.line("  ", pad(r.name, width), "  ", r.usage)
	}
}

// pad fills a text with blanks to a width counted in columns of the terminal.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-text.StringWidthWithoutEscSequences(s)))
}

// flagError puts the errors of the flag parser into words for people.
func (c *cli) flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return unknownCommand(cmd, args[0]) // a flag of a command that is not known says less than the command
	}
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var bad *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &empty):
		name, _ := pflag.UnquoteUsage(empty.GetFlag())
		return misused(models.Say("cli.error.flag_empty", "Flag", "--"+empty.GetFlag().Name, "Value", name))
	case errors.As(err, &bad):
		return misused(models.Say("cli.error.flag_value", "Flag", "--"+bad.GetFlag().Name, "Value", bad.GetValue(),
			"Want", models.Say("cli.error.want."+bad.GetFlag().Value.Type())))
	case errors.As(err, &syntax):
		return misused(models.Say("cli.error.flag_syntax", "Value", syntax.GetSpecifiedFlag()))
	}
	return &usageError{err}
}

func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) error {
	if group := e.GetSpecifiedShortnames(); group != "" {
		return misused(models.Say("cli.error.flag_unknown", "Path", cmd.CommandPath(), "Flag", "-"+group, "Nearest", ""))
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	near := nearest(e.GetSpecifiedName(), known)
	if near != "" {
		near = "--" + near
	}
	return misused(models.Say("cli.error.flag_unknown", "Path", cmd.CommandPath(), "Flag", "--"+e.GetSpecifiedName(),
		"Nearest", near))
}
