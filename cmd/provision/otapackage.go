package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"provision/internal/fleet"
	"provision/internal/job"
	"provision/internal/ota"
	"provision/internal/station"
)

// packageFlags are the flags of ota package.
type packageFlags struct{ station, app, keyfile, output, url string }

func (a *app) otaPackage() *cobra.Command {
	var f packageFlags
	cmd := &cobra.Command{
		Use: "package --station FILE --app APP [--keyfile KEY] --output DIR", Args: cobra.NoArgs,
		Short: "One release step: the factory set and the update, from one build",
		Long: `Make a folder with everything that is released of one build:

  factory-bootloader.bin, factory-partition-table.bin, factory-app-...-signed.bin
                        for the station: name them in [images] of its profile
  ota-PROJECT-VERSION-signed-plain.bin
                        for the server: one file for every unit, published as it is
  manifest.json         hashes, signer, versions, slots, and that nothing is encrypted
  aws-iot-job.json      a job document for AWS IoT Jobs; put your bucket into it

APP is signed with KEY, or is signed already. Everything is checked as the station
would check it, and as the profile's units would when they are sent the update: what
they would refuse is not released. DIR must not be there yet.`,
		RunE: func(*cobra.Command, []string) error { return a.packageRelease(f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.station, "station", "", "station profile (required)")
	fl.StringVar(&f.app, "app", "", "the app as the build makes it, or signed (default: the profile's)")
	fl.StringVarP(&f.keyfile, "keyfile", "k", "", "the fleet's app-signing key (PEM), for an app that is not signed")
	fl.StringVarP(&f.output, "output", "o", "", "folder to make")
	fl.StringVar(&f.url, "url", defaultUpdateURL, "where the update will lie in S3, for the job document")
	return cmd
}

// defaultUpdateURL has the words of AWS's own documentation where a person must
// write the bucket.
const defaultUpdateURL = "https://s3.REGION.amazonaws.com/BUCKET"

func (a *app) packageRelease(f packageFlags) error {
	if f.output == "" {
		return usagef("where to? name the folder to make with --output")
	}
	if err := notThere(f.output); err != nil {
		return err
	}
	p, err := stationProfile(f.station, "")
	if err != nil {
		return err
	}
	r := &release{profile: p, app: f.app, url: strings.TrimSuffix(f.url, "/")}
	if r.app == "" {
		r.app = p.Images.App
	}
	if err := r.sign(f.keyfile); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	if err := r.write(f.output); err != nil {
		return err
	}
	return a.sayPackaged(f.output, r)
}

// notThere refuses a folder that holds something: a release is made once.
func notThere(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return unwritable(dir, err)
	}
	return usagef("%s is there already; nothing was written: a release goes to a folder of its own", dir)
}

// release is what is packed.
type release struct {
	profile *station.Profile
	app     string // file of the build
	url     string
	signed  []byte
	update  *update
	job     *job.Job
}

// sign makes r.signed: of an app that is not signed, where the profile's units want
// it to be.
func (r *release) sign(keyfile string) error {
	data, err := readInput(r.app)
	if err != nil {
		return err
	}
	r.signed = data
	switch {
	case keyfile == "":
		return nil // whether that is right is for the checks to say
	case ota.Read(data).Scheme() != 0:
		return usagef("%s is signed already; leave --keyfile out, or name the app as the build makes it", r.app)
	case r.profile.SecureBoot.Version == 0:
		return usagef("--keyfile: the units of %s have no Secure Boot and look at no signature; leave it out", r.profile.Path)
	}
	key, err := readSigningKey(keyfile)
	if err != nil {
		return err
	}
	r.signed, _, err = signUpdate(r.app, data, key, r.profile.SecureBoot.Version)
	return err
}

// check holds the factory set against the profile, and the update against the units
// that are made with it.
func (r *release) check() error {
	folder, err := os.MkdirTemp("", "provision-release-")
	if err != nil {
		return unwritable(os.TempDir(), err)
	}
	defer os.RemoveAll(folder)
	p := *r.profile
	p.Images.App = filepath.Join(folder, "app.bin")
	if err := os.WriteFile(p.Images.App, r.signed, 0o600); err != nil {
		return unwritable(folder, err)
	}
	r.job, err = job.New(&p)
	var problems job.Problems
	if errors.As(err, &problems) {
		for _, x := range problems {
			if x.File == p.Images.App {
				x.File = r.app // and not our copy
			}
		}
	}
	if err != nil {
		return err
	}
	r.update = newUpdate(r.app, r.signed)
	r.update.report = fleet.CheckJob(r.job, r.update.image)
	switch v := r.update.report.Verdict; {
	case len(r.update.report.Reasons) > 0:
		return refusedUpdate(r.app, r.update.report.Reasons[0])
	case v != ota.Accepted:
		return usagef("%s: it cannot be told whether every unit would accept it as an update: not known is %s", r.app, strings.Join(r.update.report.Missing, "; "))
	}
	return nil
}

// write makes the folder: whole or not at all.
func (r *release) write(dir string) error {
	files, err := r.files()
	if err != nil {
		return err
	}
	for _, doc := range []struct {
		role, name string
		content    any
	}{{"manifest", "manifest.json", r.manifest(files)}, {"job document", "aws-iot-job.json", r.jobDocument(files[len(files)-1])}} {
		text, err := indented(doc.content)
		if err != nil {
			return err
		}
		files = append(files, releasedFile{Role: doc.role, File: doc.name, data: text})
	}
	dir = filepath.Clean(dir)
	beside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*")
	if err != nil {
		return unwritable(dir, err)
	}
	err = os.Chmod(beside, 0o755)
	for _, f := range files {
		if err == nil {
			err = writeNew(filepath.Join(beside, f.File), f.data, 0o644)
		}
	}
	if err == nil {
		if err = os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) { // an empty one
			err = os.Rename(beside, dir)
		}
	}
	if err != nil {
		return errors.Join(unwritable(dir, err), os.RemoveAll(beside))
	}
	return nil
}

// indented is JSON for people and programs, with a line end.
func indented(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return []byte(b.String()), err
}

func (a *app) sayPackaged(dir string, r *release) error {
	files, err := r.files()
	if err != nil {
		return err
	}
	m := r.manifest(files)
	if a.json {
		return a.emit(struct {
			Kind string `json:"kind"`
			Dir  string `json:"dir"`
			manifest
		}{"ota.packaged", dir, m})
	}
	signed := "not signed: the units look at no signature"
	if m.SecureBoot != 0 {
		signed = fmt.Sprintf("signed for Secure Boot V%d with key %.16s", m.SecureBoot, m.Signer)
	}
	fmt.Fprintf(a.out, "%s  %s %s, %s\n", dir, m.Project, m.Version, signed)
	var rows [][]string
	for _, f := range files {
		to := "to the server, for every unit"
		if f.Offset != nil {
			to = fmt.Sprintf("to the station, flash offset %#x", *f.Offset)
		}
		rows = append(rows, []string{f.File, fmt.Sprintf("%d bytes", f.Size), to})
	}
	rows = append(rows, []string{"manifest.json", "", "what this release is"}, []string{"aws-iot-job.json", "", "job document for AWS IoT Jobs"})
	table(a.out, "  ", rows)
	return nil
}
