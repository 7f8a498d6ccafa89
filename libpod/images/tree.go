package images

import (
	"context"
	"slices"

	"hull.dev/hull/libpod/define"
	"hull.dev/hull/pkg/layers"
)

// LayerTree returns the image's layers; with whatRequires its top layer and all layers that stand on it.
func (s *Service) LayerTree(ctx context.Context, ref string, whatRequires bool) (*define.ImageTree, error) {
	img, _, err := s.layers.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	tree, err := s.layers.Tree(ctx)
	if err != nil {
		return nil, err
	}
	out := &define.ImageTree{ID: img.ID, Tags: notNil(tagged(img))}
	if out.Size, _, err = tree.Size(img); err != nil {
		return nil, err
	}
	tags := map[string][]string{}
	for _, i := range tree.Images {
		tags[i.TopLayer] = append(tags[i.TopLayer], tagged(i)...)
	}
	chain := tree.Layers(img.TopLayer)
	if whatRequires && len(chain) > 0 {
		top := chain[0]
		out.Layers = []*define.ImageTreeLayer{above(tree, top, top.Parent != "" && len(tree.Above(top.Parent)) > 1, tags)}
		return out, nil
	}
	for _, l := range slices.Backward(chain) {
		out.Layers = append(out.Layers, treeLayer(l, tags))
	}
	return out, nil
}

func treeLayer(l layers.Layer, tags map[string][]string) *define.ImageTreeLayer {
	return &define.ImageTreeLayer{ID: l.ID, Size: max(0, l.Size), Tags: tags[l.ID]}
}

// above is the layer with all that stand on it. Layers form no circle: a parent is there before its child.
func above(tree *layers.Tree, l layers.Layer, twin bool, tags map[string][]string) *define.ImageTreeLayer {
	out := treeLayer(l, tags)
	out.Twin = twin
	children := tree.Above(l.ID)
	for _, child := range children {
		out.Above = append(out.Above, above(tree, child, len(children) > 1, tags))
	}
	return out
}
