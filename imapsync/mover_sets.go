package imapsync

import (
	"cmp"
	"errors"
	"slices"

	"kontrol/models"
)

// errFolders says that the journal has not kept its contract.
var errFolders = errors.New("journal gave a filing without its folders")

// alike is what filings must have in common to be carried out with one command.
type alike struct {
	source, target int64
	validity       uint32
	limit          int // how many letters the command may name
}

// cutSets sorts filings into sets that are carried out together, each ascending by UID. Twins are left alone: were two
// letters with the same header moved at once, nobody could tell afterwards which copy is whose.
func (r *moving) cutSets(list []*models.Filing) ([][]*models.Filing, error) {
	headers, letters := make(map[string]int, len(list)), make(map[int64]int, len(list))
	for _, f := range list {
		if f.SourceFolder == nil || f.TargetFolder == nil {
			return nil, errFolders
		}
		headers[f.HeaderHash]++
		letters[f.LetterID]++
	}
	var kinds []alike
	byKind := make(map[alike][]*models.Filing)
	var alone [][]*models.Filing
	for _, f := range list {
		k := alike{f.SourceFolderID, f.TargetFolderID, f.SourceUIDValidity, r.atOnce(f)}
		if headers[f.HeaderHash] > 1 || letters[f.LetterID] > 1 || k.limit == 1 {
			alone = append(alone, []*models.Filing{f})
			continue
		}
		if byKind[k] == nil {
			kinds = append(kinds, k)
		}
		byKind[k] = append(byKind[k], f)
	}
	var sets [][]*models.Filing
	for _, k := range kinds {
		sets = append(sets, cutSet(byKind[k], k.limit, r.line())...)
	}
	return append(sets, alone...), nil
}

// atOnce is how many letters may go into one command with this one. What has gone wrong before is tried again in smaller
// and smaller sets, so that in the end a letter that the server cannot move stands alone.
func (r *moving) atOnce(f *models.Filing) int {
	switch caps := r.s.Caps(); {
	case f.State != models.FilingPlanned:
		return page // to be looked for: nothing is asked of the server
	case !caps.Move && !caps.UIDPlus, f.HeaderHash == "":
		return 1
	case f.Attempts >= 3:
		return 1
	}
	if r.longSets() {
		return page >> (3 * f.Attempts)
	}
	return setLetters >> (3 * f.Attempts)
}

// longSets reports whether as many letters go into one command as a page has.
func (r *moving) longSets() bool { return r.s.Caps().Move && r.s.Caps().LongLines }

// line is how long the set of UIDs in a command may be.
func (r *moving) line() int {
	if r.longSets() {
		return longSetOctets
	}
	return setOctets
}

// cutSet cuts filings of one kind into sets of at most limit letters whose UIDs, as they are written, are no longer than line.
func cutSet(list []*models.Filing, limit, line int) (sets [][]*models.Filing) {
	slices.SortFunc(list, func(a, b *models.Filing) int { return cmp.Compare(a.SourceUID, b.SourceUID) })
	var set []*models.Filing
	var ruler setRuler
	weight := int64(0)
	for _, f := range list {
		weight += f.Size
		if octets := ruler.add(f.SourceUID); len(set) > 0 && (len(set) >= limit || octets > line || weight > setWeight) {
			sets, set = append(sets, set), nil
			ruler, weight = setRuler{}, f.Size
			ruler.add(f.SourceUID)
		}
		set = append(set, f)
	}
	if len(set) > 0 {
		sets = append(sets, set)
	}
	return sets
}

func sourceUIDs(list []*models.Filing) []uint32 {
	uids := make([]uint32, 0, len(list))
	for _, f := range list {
		uids = append(uids, f.SourceUID)
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// cutUIDs cuts ascending UIDs into parts that fit into one command each.
func cutUIDs(uids []uint32) (parts [][]uint32) {
	var ruler setRuler
	start := 0
	for i, u := range uids {
		if octets := ruler.add(u); i > start && (octets > setOctets || i-start >= setLetters) {
			parts, start = append(parts, uids[start:i]), i
			ruler = setRuler{}
			ruler.add(u)
		}
	}
	if start < len(uids) {
		parts = append(parts, uids[start:])
	}
	return parts
}
