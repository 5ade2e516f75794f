import { ChevronLeft, ChevronRight } from 'lucide-react'
import { useId, useMemo, useState } from 'react'
import type { HistoryEntry } from '@/lib/api/history'
import { timestamp } from '@/lib/format'
import { Badge } from '@/ui/bits'
import { Button, IconButton } from '@/ui/button'
import { Changes } from '@/ui/changes'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { Segments } from '@/ui/form'
import { JsonView } from '@/ui/json'
import { useChangesSince, useHistory, useMoment } from '@/lib/api/use-history'

type View = 'changes' | 'since' | 'state'

const views: { value: View; label: string; title: string }[] = [
  { value: 'changes', label: 'Changed here', title: 'What this revision changed' },
  { value: 'since', label: 'Changed since', title: 'What is different now' },
  { value: 'state', label: 'As it was', title: 'All of it, as it was then' },
]

/** A resource at any of its revisions: a slider over them, what each changed, and how it was then. */
export function TimeTravel({ path }: { path: string }) {
  const history = useHistory(path)
  const entries = useMemo(() => (history.data?.pages ?? []).flatMap((page) => page.entries).toReversed(), [history.data])
  const [chosen, setChosen] = useState<number>()
  if (history.isPending) return <SkeletonRows rows={5} />
  if (history.isError) return <ErrorState error={history.error} onRetry={() => void history.refetch()} />
  const latest = entries.at(-1)
  const oldest = entries[0]
  if (!latest || !oldest) return <p className="text-ink-3">This resource has no history.</p>
  const revision = Math.min(Math.max(chosen ?? latest.revision, oldest.revision), latest.revision)
  const entry = entries.find((e) => e.revision === revision) ?? latest
  return (
    <div className="space-y-4">
      <Slider entries={entries} entry={entry} onChange={setChosen} />
      {history.hasNextPage && (
        <Button small look="ghost" disabled={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
          {history.isFetchingNextPage ? 'Loading…' : `Load revisions before ${oldest.revision}`}
        </Button>
      )}
      <Moment path={path} entry={entry} latest={latest} />
    </div>
  )
}

function Slider({ entries, entry, onChange }: { entries: HistoryEntry[]; entry: HistoryEntry; onChange: (revision: number) => void }) {
  const id = useId()
  const first = entries[0]?.revision ?? 0
  const last = entries.at(-1)?.revision ?? 0
  const step = (by: number) => onChange(entry.revision + by)
  return (
    <div className="rounded-lg border border-line bg-sunken p-3.5">
      <div className="flex items-baseline justify-between gap-3">
        <label htmlFor={id} className="font-medium">
          Revision <span className="tabular">{entry.revision}</span> <span className="font-normal text-ink-3">of {last}</span>
        </label>
        <time dateTime={entry.recordedAt} className="tabular text-[13px] text-ink-3">
          {timestamp(entry.recordedAt)}
        </time>
      </div>
      <div className="mt-2 flex items-center gap-1.5">
        <IconButton label="Earlier revision" disabled={entry.revision <= first} onClick={() => step(-1)}>
          <ChevronLeft />
        </IconButton>
        <input
          id={id}
          type="range"
          min={first}
          max={last}
          step={1}
          value={entry.revision}
          disabled={first === last}
          onChange={(event) => onChange(Number(event.target.value))}
          aria-valuetext={`Revision ${entry.revision}, ${timestamp(entry.recordedAt)}`}
          className="h-6 min-w-0 flex-1 cursor-pointer accent-(--accent)"
        />
        <IconButton label="Later revision" disabled={entry.revision >= last} onClick={() => step(1)}>
          <ChevronRight />
        </IconButton>
      </div>
      <p className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px] text-ink-3" aria-live="polite">
        <Badge tone="accent">{entry.type}</Badge>
        {entry.actor && <span className="font-mono text-xs break-all">{entry.actor}</span>}
        {entry.erased && <Badge tone="warn">erased</Badge>}
      </p>
    </div>
  )
}

function Moment({ path, entry, latest }: { path: string; entry: HistoryEntry; latest: HistoryEntry }) {
  const [view, setView] = useState<View>('changes')
  return (
    <section aria-label={`Revision ${entry.revision}`} className="space-y-3">
      <Segments label="What to show" value={view} options={views} onChange={setView} />
      {view === 'changes' && (entry.erased ? <p className="text-ink-3">What happened here was erased with a person’s data.</p> : <Changes changes={entry.changes} />)}
      {view === 'since' && <Since path={path} from={entry.revision} to={latest.revision} />}
      {view === 'state' && <State path={path} revision={entry.revision} />}
    </section>
  )
}

function Since({ path, from, to }: { path: string; from: number; to: number }) {
  const changes = useChangesSince(path, from, to, from < to)
  if (from >= to) return <p className="text-ink-3">This is the latest revision.</p>
  if (changes.isPending) return <SkeletonRows rows={3} />
  if (changes.isError) return <ErrorState error={changes.error} onRetry={() => void changes.refetch()} />
  return <Changes changes={changes.data} />
}

function State({ path, revision }: { path: string; revision: number }) {
  const moment = useMoment(path, revision)
  if (moment.isPending) return <SkeletonRows rows={5} />
  if (moment.isError) return <ErrorState error={moment.error} onRetry={() => void moment.refetch()} />
  if (moment.data === null) return <p className="text-ink-3">It was deleted at this revision.</p>
  return <JsonView label={`revision ${revision}`} value={moment.data} />
}
