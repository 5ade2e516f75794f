package learn

import (
	"errors"
	"math"
)

// Forest is what boosting has made: rounds of one tree per output.
type Forest struct {
	Base  []float64 `json:"base"`  // score of each output before the first tree
	Trees []Tree    `json:"trees"` // round by round, output by output
}

// Tree is a decision tree: nodes in an order in which children follow their
// parent, the root first.
type Tree []Node

// Node is a split, or with Left 0 a leaf. A row whose column is at most
// Threshold goes left.
type Node struct {
	Column    int     `json:"c,omitempty"`
	Threshold float64 `json:"t,omitempty"`
	GapsLeft  bool    `json:"g,omitempty"` // where rows go whose column is missing
	Left      int     `json:"l,omitempty"`
	Right     int     `json:"r,omitempty"`
	Value     float64 `json:"v,omitempty"` // of a leaf, the learning rate included
}

// value is what the tree adds to a row's score.
func (t Tree) value(row []float64) float64 {
	i := 0
	for t[i].Left != 0 {
		n := &t[i]
		v := row[n.Column]
		if v <= n.Threshold || n.GapsLeft && math.IsNaN(v) {
			i = n.Left
		} else {
			i = n.Right
		}
	}
	return t[i].Value
}

// scores adds up what the trees say, in their order: so they are, bit by bit,
// what training had added up.
func (f *Forest) scores(x *matrix) []float64 {
	k := len(f.Base)
	out := make([]float64, x.rows()*k)
	for r := range x.rows() {
		row, sum := x.row(r), out[r*k:(r+1)*k]
		copy(sum, f.Base)
		for i, t := range f.Trees {
			sum[i%k] += t.value(row)
		}
	}
	return out
}

func (f *Forest) check(width, outputs int) error {
	if len(f.Base) != outputs || len(f.Trees)%outputs != 0 || !allFinite(f.Base) {
		return errors.New("the trees are not those of the classes")
	}
	for _, t := range f.Trees {
		if len(t) == 0 {
			return errors.New("a tree has no node")
		}
		for i, n := range t {
			if !finite(n.Value) || !finite(n.Threshold) {
				return errors.New("a tree's values are no numbers")
			}
			if n.Left == 0 && n.Right == 0 {
				continue
			}
			if n.Left <= i || n.Right <= i || n.Left >= len(t) || n.Right >= len(t) || n.Column < 0 || n.Column >= width {
				return errors.New("a tree's nodes are not in order")
			}
		}
	}
	return nil
}
