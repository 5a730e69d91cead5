package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"postrider/config"
)

// configFile is read if it is there and no other is named.
const configFile = "/etc/postrider/postrider.conf"

// where are the flags that say where settings come from.
type where struct{ file, courier string }

func (w *where) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&w.file, "config", "", "settings file (default "+configFile+", if it is there)")
	c.PersistentFlags().StringVar(&w.courier, "courier", "", "read Courier's files in this directory instead, such as /etc/courier")
	c.MarkFlagsMutuallyExclusive("config", "courier")
}

func (w *where) load() (*config.Loaded, error) {
	o := config.Options{File: w.file, CourierDir: w.courier, Environment: os.Environ()}
	if o.File == "" && o.CourierDir == "" {
		o.File, o.FileMissing = configFile, true
	}
	loaded, err := config.Load(o)
	if err == nil {
		err = checkFolders(loaded)
	}
	return loaded, err
}

func newConfig() *cobra.Command {
	var from where
	c := &cobra.Command{
		Use: "config", Short: "Print every setting, where it comes from, and its default", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := from.load()
			if e := loaded.Print(c.OutOrStdout(), from.courier != ""); e != nil {
				return e
			}
			return err
		},
	}
	from.flags(c)
	c.AddCommand(&cobra.Command{
		Use: "check", Short: "Name file, line and mend for each mistake in the settings", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := from.load()
			found := checkSettings(loaded, time.Now())
			for _, n := range append(loaded.Notes, found.notes...) {
				fmt.Fprintln(c.OutOrStdout(), "note:", n)
			}
			if err != nil {
				fmt.Fprintln(c.OutOrStdout(), err)
			}
			for _, m := range found.mistakes {
				fmt.Fprintln(c.OutOrStdout(), m)
			}
			if err != nil || len(found.mistakes) > 0 {
				return errTold
			}
			fmt.Fprintln(c.OutOrStdout(), "no mistakes")
			return nil
		},
	})
	return c
}
