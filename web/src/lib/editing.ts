import { useState } from 'react'
import type { Tagged } from './api/client'

export interface Editing<T, D> {
  /** What the draft is to replace: as it was read, or as it was found when somebody else had written it. */
  base: Tagged<T> | undefined
  draft: D
  set: <K extends keyof D>(key: K, value: D[K]) => void
  /** Whether a draft was put aside for what somebody else has written. */
  aside: boolean
  /** Goes on with what somebody else has written; the draft is put aside. */
  takeTheirs: (theirs: Tagged<T>) => void
  /** Goes on with the draft that was put aside, which then replaces what somebody else has written. */
  backToMine: () => void
  /** Keeps the draft, and lets it replace what somebody else has written. */
  replace: (theirs: Tagged<T>) => void
}

/**
 * What a form holds while a resource is edited. The resource is taken as it is
 * at first: read anew in the background it would carry the tag of a revision
 * that the draft knows nothing of, and the save would overwrite it unseen.
 */
export function useEditing<T, D>(resource: Tagged<T> | undefined, draftOf: (resource: Tagged<T> | undefined) => D): Editing<T, D> {
  const [base, setBase] = useState(resource)
  const [draft, setDraft] = useState(() => draftOf(resource))
  const [mine, setMine] = useState<D>()
  return {
    base,
    draft,
    set: (key, value) => setDraft((now) => ({ ...now, [key]: value })),
    aside: mine !== undefined,
    takeTheirs: (theirs) => {
      setMine(draft)
      setBase(theirs)
      setDraft(draftOf(theirs))
    },
    backToMine: () => {
      if (mine !== undefined) setDraft(mine)
      setMine(undefined)
    },
    replace: setBase,
  }
}
