package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// names is a set of names of JSON fields.
type names map[string]bool

func (n names) add(others names) {
	for name := range others {
		n[name] = true
	}
}

// shapes are what this program prints as JSON, from its source: of each kind the fields
// of the object, and of each kind of event the fields that it is made with.
type shapes struct {
	kinds  map[string]names
	events map[string]names
	own    map[string]types.Type // objects with a row of their own, by that row
}

// ownRows are the types whose fields the manual tells in a row of their own.
var ownRows = map[string]string{
	"provision/internal/flow.ChipFacts":    "Events of a run/chip",
	"provision/internal/flow.Plan":         "Events of a run/plan",
	"provision/internal/flow.BurnFacts":    "Events of a run/burn",
	"provision/internal/flow.RegionFacts":  "Events of a run/region",
	"provision/internal/flow.KeyFacts":     "Events of a run/keys",
	"provision/internal/flow.Progress":     "Events of a run/work",
	"provision/internal/flow.StationFacts": "Events of a run/station",
	"provision/internal/flow.Outlook":      "unit.unfinished",
	"provision/internal/flow.policy":       "Records/goal",
	"provision/internal/records.Unit":      "Records/unit",
	"provision/internal/records.Run":       "Records/runs",
	"provision/internal/records.KeyRecord": "Records/keys",
	"provision/internal/records.Burn":      "Records/burns",
	"provision/internal/records.Region":    "Records/regions",
	"provision/internal/records.Parking":   "Records/parkings",
	"provision/internal/records.Label":     "Records/labels",
	"provision/internal/records.Act":       "Records/acts",
	"provision/internal/records.Report":    "Records/report",
	"provision/internal/ota.Reason":        "Updates over the air/reasons",
	"provision/internal/fleet.Group":       "Updates over the air/groups",
	"provision/cmd/provision.fuseRow":      "Station, chip, files/fuses",
}

// sourceOf parses the packages whose objects are printed, and gives them their types.
func sourceOf(t *testing.T, read func(*types.Package, *types.Info, []*ast.File)) {
	t.Helper()
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	type listed struct {
		ImportPath, Export, Dir string
		GoFiles                 []string
	}
	packages := map[string]listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(packages[path].Export) })
	for _, path := range []string{"provision/internal/flow", "provision/internal/floor", "provision/cmd/provision"} {
		var files []*ast.File
		for _, name := range packages[path].GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(packages[path].Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		pkg, err := (&types.Config{Importer: imports}).Check(path, fset, files, info)
		if err != nil {
			t.Fatal(err)
		}
		read(pkg, info, files)
	}
}

// readShapes finds every object that has a kind where it is made.
func readShapes(t *testing.T) shapes {
	t.Helper()
	s := shapes{kinds: map[string]names{}, events: map[string]names{}, own: map[string]types.Type{}}
	sourceOf(t, func(pkg *types.Package, info *types.Info, files []*ast.File) {
		if policy := pkg.Scope().Lookup("policy"); policy != nil && pkg.Name() == "flow" {
			s.fields(policy.Type(), names{}) // a record keeps it as it was written
		}
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.CompositeLit); ok {
					s.literal(t, pkg, info, lit)
				}
				return true
			})
		}
	})
	return s
}

// literal takes up an object, if it is one that has a kind.
func (s shapes) literal(t *testing.T, pkg *types.Package, info *types.Info, lit *ast.CompositeLit) {
	typ := info.TypeOf(lit)
	if _, ok := typ.Underlying().(*types.Map); ok && pkg.Name() == "main" {
		found := names{}
		if kind := s.keys(info, lit, found); kind != "" {
			s.kind(kind, found)
		}
		return
	}
	fields, ok := typ.Underlying().(*types.Struct)
	if !ok {
		return
	}
	named, _ := types.Unalias(typ).(*types.Named)
	event := named != nil && named.Obj().Name() == "Event" && named.Obj().Pkg().Path() == "provision/internal/flow"
	elsewhere := named != nil && named.Obj().Pkg() != pkg
	if !event && (elsewhere || pkg.Name() != "main") {
		return
	}
	made := valuesOf(fields, lit)
	if made["kind"] == nil {
		return
	}
	kind := text(info, made["kind"])
	switch {
	case kind == "":
		t.Errorf("%s: an object whose kind is told nowhere", pkg.Path())
	case event:
		set := names{}
		for name := range made {
			set[name] = true
		}
		s.event(kind, set)
		s.fields(typ.Underlying(), names{})
	default:
		found := names{}
		s.fields(typ.Underlying(), found)
		delete(found, "kind")
		s.kind(kind, found)
	}
}

func (s shapes) kind(kind string, found names) {
	if s.kinds[kind] == nil {
		s.kinds[kind] = names{}
	}
	s.kinds[kind].add(found)
}

func (s shapes) event(kind string, found names) {
	if s.events[kind] == nil {
		s.events[kind] = names{}
	}
	s.events[kind].add(found)
}

// keys adds the names in a map that is written out, and returns its kind.
func (s shapes) keys(info *types.Info, lit *ast.CompositeLit, found names) (kind string) {
	for _, elt := range lit.Elts {
		pair, ok := elt.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key := text(info, pair.Key)
		if key == "kind" {
			kind = text(info, pair.Value)
			continue
		}
		found[key] = true
		s.fields(info.TypeOf(pair.Value), found)
	}
	return kind
}

// valuesOf are the values of a struct that is written out, by their JSON names.
func valuesOf(fields *types.Struct, lit *ast.CompositeLit) map[string]ast.Expr {
	values := map[string]ast.Expr{}
	for i, elt := range lit.Elts {
		pair, keyed := elt.(*ast.KeyValueExpr)
		for f := range fields.NumFields() {
			switch {
			case keyed && pair.Key.(*ast.Ident).Name == fields.Field(f).Name():
				values[jsonName(fields.Tag(f))] = pair.Value
			case !keyed && f == i:
				values[jsonName(fields.Tag(f))] = elt
			}
		}
	}
	return values
}

func jsonName(tag string) string {
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	return name
}

// text is a constant; of one that only begins with a constant, that beginning.
func text(info *types.Info, e ast.Expr) string {
	if sum, ok := e.(*ast.BinaryExpr); ok && info.Types[e].Value == nil {
		return text(info, sum.X)
	}
	if v := info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v)
	}
	return ""
}

// fields adds the JSON names of a type and of what is in it, but for what has a row of
// its own, or writes itself.
func (s shapes) fields(typ types.Type, found names) {
	switch t := types.Unalias(typ).(type) {
	case *types.Pointer:
		s.fields(t.Elem(), found)
	case *types.Slice:
		s.fields(t.Elem(), found)
	case *types.Array:
		s.fields(t.Elem(), found)
	case *types.Named:
		row, own := "", false
		if t.Obj().Pkg() != nil {
			row, own = ownRows[t.Obj().Pkg().Path()+"."+t.Obj().Name()]
		}
		switch {
		case own:
			if s.own[row] == nil {
				s.own[row] = t.Underlying()
				s.fields(t.Underlying(), names{}) // for what is in it and has a row too
			}
		case !writesItself(t):
			s.fields(t.Underlying(), found)
		}
	case *types.Struct:
		for i := range t.NumFields() {
			switch name := jsonName(t.Tag(i)); {
			case name != "" && name != "-":
				found[name] = true
				s.fields(t.Field(i).Type(), found)
			case name == "" && t.Field(i).Embedded():
				s.fields(t.Field(i).Type(), found)
			}
		}
	}
}

func writesItself(t *types.Named) bool {
	methods := types.NewMethodSet(types.NewPointer(t))
	return methods.Lookup(nil, "MarshalJSON") != nil || methods.Lookup(nil, "MarshalText") != nil
}
