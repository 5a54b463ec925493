package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"kontrol/models"
)

// completionCommand is `kontrol completion SHELL`.
func (c *cli) completionCommand(root *cobra.Command) *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	cmd := c.command("completion", "cli.completion", nil)
	cmd.ValidArgs, cmd.ValidArgsFunction = shells, nil
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.arguments(cmd, args, 1, 1); err != nil {
			return err
		}
		var err error
		switch args[0] {
		case "bash":
			err = root.GenBashCompletionV2(c.env.stdout, true)
		case "zsh":
			err = root.GenZshCompletion(c.env.stdout)
		case "fish":
			err = root.GenFishCompletion(c.env.stdout, true)
		default:
			return misused(models.Say("cli.error.shell", "Value", args[0], "Known", shells, "Nearest", nearest(args[0], shells)))
		}
		if err != nil {
			return fmt.Errorf("write completion script: %w", err)
		}
		return nil
	}
	return cmd
}

// completion is what cobra asks for the words that can follow.
type completion = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// completeWords completes the values of a flag with fixed words.
func (c *cli) completeWords(cmd *cobra.Command, flag string, words ...string) {
	c.completeFlag(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeFlag registers a completion of a flag. It fails only for a flag that does not exist, which a test would see.
func (c *cli) completeFlag(cmd *cobra.Command, flag string, f completion) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		c.log.Error("register completion", "flag", flag, "err", err)
	}
}
