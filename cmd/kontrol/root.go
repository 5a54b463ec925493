package main

import (
	"strings"

	"github.com/spf13/cobra"

	"kontrol/models"
)

// The groups of commands in the help of the program.
const (
	groupStart   = "start"
	groupMail    = "mail"
	groupClients = "clients"
	groupCare    = "care"
)

// rootCommand builds the whole tree of commands, its texts in the language of c.texts.
func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use: "kontrol", Short: c.Text("cli.root.short"), Long: c.Text("cli.root.long"),
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error { return c.checkGlobals() },
	}
	c.asGroup(root)
	for _, g := range []string{groupStart, groupMail, groupClients, groupCare} {
		root.AddGroup(&cobra.Group{ID: g, Title: c.Text("cli.group." + g)})
	}
	c.addGlobals(root)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { c.help(cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { c.help(cmd); return nil })
	root.SetFlagErrorFunc(c.flagError)
	root.SetHelpCommand(c.helpCommand(root))
	c.add(root, groupStart, c.checkCommand(), c.runCommand(), c.demoCommand())
	c.add(root, groupMail, c.statusCommand(), c.mailboxCommand(), c.messageCommand())
	c.add(root, groupClients, c.clientCommand(), c.dealCommand(), c.invoiceCommand(), c.paymentCommand(), c.managerCommand())
	c.add(root, groupCare, c.dbCommand(), c.versionCommand(), c.completionCommand(root))
	return root
}

func (c *cli) add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.GroupID = group
		root.AddCommand(cmd)
	}
}

func (c *cli) addGlobals(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVar(&c.flags.config, "config", "", c.Text("cli.flag.config"))
	f.StringVar(&c.flags.format, "format", formatTable, c.Text("cli.flag.format"))
	f.StringVar(&c.flags.lang, "lang", "", c.Text("cli.flag.lang"))
	f.StringVar(&c.flags.as, "as", "", c.Text("cli.flag.as"))
	f.BoolVar(&c.flags.noColor, "no-color", false, c.Text("cli.flag.no_color"))
	f.BoolVar(&c.flags.verbose, "verbose", false, c.Text("cli.flag.verbose"))
	f.BoolP("help", "h", false, c.Text("cli.flag.help"))
	c.completeWords(root, "format", formats()...)
	c.completeFlag(root, "as", c.completeOwners)
	c.completeWords(root, "lang", languages()...)
}

func formats() []string   { return []string{formatTable, formatJSON, formatCSV} }
func languages() []string { return []string{"ru", "en"} }

func (c *cli) checkGlobals() error {
	if c.flags.lang != "" {
		if err := c.oneOf("lang", c.flags.lang, languages()); err != nil {
			return err
		}
	}
	return c.oneOf("format", c.flags.format, formats())
}

// oneOf refuses a value that is not among the known ones, naming the nearest.
func (c *cli) oneOf(flag, value string, known []string) error {
	for _, k := range known {
		if k == value {
			return nil
		}
	}
	return misused(models.Say("cli.error.choice", "Flag", "--"+flag, "Value", value, "Known", known,
		"Nearest", nearest(value, known)))
}

// command makes a command whose texts are found under key: KEY.short, and if present KEY.args, KEY.long and KEY.example.
func (c *cli) command(name, key string, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	use := name
	if args := c.optional(key + ".args"); args != "" {
		use += " " + args
	}
	cmd := &cobra.Command{
		Use: use, Short: c.texts.Text(key + ".short"), Long: c.optional(key + ".long"), Example: c.optional(key + ".example"),
		RunE: run, Args: cobra.ArbitraryArgs, ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().SortFlags = false
	return cmd
}

// group makes a command that only holds others.
func (c *cli) group(name, key string, commands ...*cobra.Command) *cobra.Command {
	cmd := c.command(name, key, nil)
	c.asGroup(cmd)
	cmd.AddCommand(commands...)
	return cmd
}

// asGroup makes cmd show its help when nothing is asked of it, and name the nearest command when the one asked for is
// not known.
func (c *cli) asGroup(cmd *cobra.Command) {
	cmd.Args, cmd.ValidArgsFunction = cobra.ArbitraryArgs, cobra.NoFileCompletions
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		c.help(cmd)
		return nil
	}
}

func unknownCommand(parent *cobra.Command, name string) error {
	var known []string
	for _, sub := range parent.Commands() {
		if !sub.Hidden {
			known = append(known, sub.Name())
		}
	}
	return misused(models.Say("cli.error.command", "Path", parent.CommandPath(), "Name", name,
		"Nearest", nearest(name, known)))
}

// arguments checks the number of arguments. The names are texts of the missing ones, as the help calls them.
func (c *cli) arguments(cmd *cobra.Command, args []string, least, most int) error {
	names := strings.Fields(strings.TrimPrefix(cmd.Use, cmd.Name()))
	if len(args) < least {
		missing := cmd.CommandPath()
		if len(args) < len(names) {
			missing = names[len(args)]
		}
		return misused(models.Say("cli.error.missing", "Path", cmd.CommandPath(), "Name", missing))
	}
	if len(args) > most {
		if most > 0 {
			return misused(models.Say("cli.error.extra_quoted", "Path", cmd.CommandPath(), "Value", args[most],
				"Joined", strings.Join(args[most-1:], " ")))
		}
		return misused(models.Say("cli.error.extra", "Path", cmd.CommandPath(), "Value", args[most]))
	}
	return nil
}
