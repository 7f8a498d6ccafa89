package script

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sylabs/sif/v2/pkg/sif"
)

// sifFile ROOT DEFINITION FILE writes an image of Singularity's, of a root file system in squashfs and a definition.
func sifFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sif ROOT DEFINITION FILE")
	}
	part := func(name string, kind sif.DataType, options ...sif.DescriptorInputOpt) sif.DescriptorInput {
		f, err := os.Open(ts.MkAbs(name))
		ts.Check(err)
		ts.Defer(func() { _ = f.Close() })
		d, err := sif.NewDescriptorInput(kind, f, options...)
		ts.Check(err)
		return d
	}
	image, err := sif.CreateContainerAtPath(ts.MkAbs(args[2]), sif.OptCreateWithDescriptors(
		part(args[1], sif.DataDeffile),
		part(args[0], sif.DataPartition, sif.OptPartitionMetadata(sif.FsSquash, sif.PartPrimSys, "amd64")),
	))
	ts.Check(err)
	ts.Check(image.UnloadContainer())
}
