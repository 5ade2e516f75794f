import { useQuery } from '@tanstack/react-query'
import { GitCompareArrows } from 'lucide-react'
import type { ReactNode } from 'react'
import { useEffect, useRef } from 'react'
import type { Tagged } from '@/lib/api/client'
import { hasMovedOn } from '@/lib/api/client'
import { useApi } from '@/lib/api/context'
import type { Change } from '@/lib/api/history'
import { loadHistory } from '@/lib/api/history'
import type { Editing } from '@/lib/editing'
import { ago } from '@/lib/format'
import { Button } from './button'
import { Changes } from './changes'
import { ErrorState, SkeletonRows } from './feedback'

/** What every write changes, and nobody types. */
const bookkeeping = new Set(['/version', '/updatedAt', '/updated_at'])

/** What somebody else has made of a resource since a revision of it. */
function useTheirs<T extends object>(path: string, etag: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['moved-on', path, etag],
    queryFn: async ({ signal }) => {
      const theirs = await api.getTagged<T>(path, signal)
      const [from, to] = [etag, theirs.etag].map((tag) => Number(tag.replace(/[^0-9]/g, '')))
      const [{ changes = [] }, { entries }] = await Promise.all([api.get<{ changes?: Change[] }>(`${path}/diff`, { from, to }, signal), loadHistory(api, path, '', signal)])
      return { theirs, changes: changes.filter((change) => !bookkeeping.has(change.path)), last: entries.find((entry) => entry.revision === to) }
    },
    gcTime: 0,
  })
}

interface Props<T, D> {
  /** "agent", "workflow". */
  noun: string
  path: string
  editing: Editing<T, D>
  save: { error: unknown; reset: () => void }
  /** Saves the draft over what is given. */
  onOverwrite: (theirs: Tagged<T>) => void
}

/** What is to be known of others' saves in a form: that they came first, or that they are what it shows now. */
export function OthersSaves<T extends object, D>({ noun, path, editing, save, onOverwrite }: Props<T, D>) {
  if (editing.base && hasMovedOn(save.error)) {
    const takeTheirs = (theirs: Tagged<T>) => {
      editing.takeTheirs(theirs)
      save.reset()
    }
    const overwrite = (theirs: Tagged<T>) => {
      editing.replace(theirs)
      onOverwrite(theirs)
    }
    return <MovedOn<T> noun={noun} path={path} etag={editing.base.etag} onTakeTheirs={takeTheirs} onOverwrite={overwrite} />
  }
  return editing.aside ? <PutAside onBack={editing.backToMine} /> : null
}

interface MovedOnProps<T> extends Pick<Props<T, unknown>, 'noun' | 'path' | 'onOverwrite'> {
  etag: string
  onTakeTheirs: (theirs: Tagged<T>) => void
}

/** Says that a save came after somebody else's, what that one has changed, and lets one choose. */
function MovedOn<T extends object>({ noun, path, etag, onTakeTheirs, onOverwrite }: MovedOnProps<T>) {
  const found = useTheirs<T>(path, etag)
  return (
    <Notice title={`Not saved: this ${noun} was changed while you were editing it`} complete={!found.isPending}>
      {found.isPending && <SkeletonRows rows={2} />}
      {found.isError && <ErrorState compact error={found.error} onRetry={() => void found.refetch()} />}
      {found.isSuccess && (
        <>
          <p className="text-ink-2">
            {found.data.last && (
              <>
                Saved {ago(found.data.last.recordedAt, Date.now())} by <code className="font-mono text-[13px] break-all">{found.data.last.actor}</code>.{' '}
              </>
            )}
            What you have typed is still here. This is what the other save has changed:
          </p>
          <div className="max-h-80 overflow-y-auto rounded-lg bg-surface p-3" tabIndex={0} role="region" aria-label="Their changes">
            <Changes changes={found.data.changes} />
          </div>
          <div className="flex flex-wrap gap-2">
            <Button onClick={() => onTakeTheirs(found.data.theirs)}>Load theirs</Button>
            <Button look="danger" onClick={() => onOverwrite(found.data.theirs)}>
              Overwrite with mine
            </Button>
          </div>
        </>
      )}
    </Notice>
  )
}

/** Says that the form shows what somebody else has saved, and how to get back what was typed. */
function PutAside({ onBack }: { onBack: () => void }) {
  return (
    <Notice title="This is what the other save has made of it" complete>
      <p className="text-ink-2">What you had typed is kept until you leave this page.</p>
      <Button onClick={onBack}>Back to mine</Button>
    </Notice>
  )
}

/** It takes the focus, as the button that led to it may be far away or gone, and is seen whole once it is complete. */
function Notice({ title, complete, children }: { title: string; complete: boolean; children: ReactNode }) {
  const ref = useRef<HTMLElement>(null)
  useEffect(() => ref.current?.focus(), [])
  useEffect(() => {
    if (complete) ref.current?.scrollIntoView({ block: 'nearest' })
  }, [complete])
  return (
    <section ref={ref} tabIndex={-1} aria-label={title} className="flex scroll-my-20 gap-3 rounded-lg bg-warn-soft p-4 focus:outline-none">
      <GitCompareArrows aria-hidden className="mt-0.5 size-4 shrink-0 text-warn" />
      <div className="min-w-0 flex-1 space-y-3">
        <p className="font-medium text-warn">{title}</p>
        {children}
      </div>
    </section>
  )
}
