import type { FormEvent } from 'react'
import { useState } from 'react'
import type { ParkedEvent, Projection } from '@/lib/api/projections'
import { byStream } from '@/lib/api/projections'
import { timestamp } from '@/lib/format'
import { Badge } from '@/ui/bits'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { JsonView } from '@/ui/json'
import { useParked, useParkedEvent, useProjectionCommands } from './use-projections'

/** What a projection could not take, stream by stream in the order of the log. */
export function ParkedEvents({ projection: p }: { projection: Projection }) {
  const parked = useParked(p.parked > 0 ? p.name : '')
  const { retry } = useProjectionCommands(p.name)
  const [discarding, setDiscarding] = useState<ParkedEvent>()
  if (p.parked === 0) {
    return (
      <section aria-label="Parked events">
        <h3 className="font-medium">Parked events</h3>
        <p className="text-[13px] text-ink-3">None. An event that cannot be taken waits here with those behind it, and holds up no other stream.</p>
      </section>
    )
  }
  const streams = byStream(parked.data?.pages.flatMap((page) => page.items) ?? [])
  return (
    <section aria-label="Parked events" className="space-y-3">
      <div className="flex items-center justify-between gap-3">
        <h3 className="font-medium">Parked events</h3>
        <Button small disabled={retry.isPending} onClick={() => retry.mutate('')}>
          Retry all
        </Button>
      </div>
      {parked.isPending && <SkeletonRows rows={3} />}
      {parked.isError && <ErrorState error={parked.error} onRetry={() => void parked.refetch()} />}
      {retry.isError && <ErrorState compact error={retry.error} />}
      {retry.data && (
        <p role="status" className="text-[13px] text-ink-3">
          {retry.data.applied} taken, {retry.data.parked} still parked.
        </p>
      )}
      {streams.map(({ stream, events }) => (
        <div key={stream} className="overflow-hidden rounded-lg border border-line">
          <div className="flex items-center justify-between gap-3 border-b border-line bg-sunken px-3 py-1.5">
            <h4 className="min-w-0 truncate font-mono text-xs">{stream}</h4>
            <Button small look="ghost" disabled={retry.isPending} onClick={() => retry.mutate(stream)} aria-label={`Retry ${stream}`}>
              Retry
            </Button>
          </div>
          <ul className="divide-y divide-line">
            {events.map((event) => (
              <Parked key={event.position} name={p.name} event={event} onDiscard={() => setDiscarding(event)} />
            ))}
          </ul>
        </div>
      ))}
      {parked.hasNextPage && (
        <Button small onClick={() => void parked.fetchNextPage()} disabled={parked.isFetchingNextPage}>
          Load more
        </Button>
      )}
      {discarding && <DiscardDialog name={p.name} event={discarding} onClose={() => setDiscarding(undefined)} />}
    </section>
  )
}

function Parked({ name, event, onDiscard }: { name: string; event: ParkedEvent; onDiscard: () => void }) {
  const [open, setOpen] = useState(false)
  const inspected = useParkedEvent(name, open ? event.position : undefined)
  return (
    <li className="space-y-2 px-3 py-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="tabular font-mono text-xs text-ink-3">#{event.position}</span>
        <span className="font-mono text-[13px] font-medium">{event.type}</span>
        {event.waiting ? <Badge>waiting</Badge> : <Badge tone="bad">failed</Badge>}
        <span className="ml-auto flex gap-1">
          <Button small look="ghost" aria-expanded={open} aria-label={`Inspect event ${event.position}`} onClick={() => setOpen(!open)}>
            {open ? 'Hide' : 'Inspect'}
          </Button>
          <Button small look="ghost" aria-label={`Discard event ${event.position}`} onClick={onDiscard}>
            Discard
          </Button>
        </span>
      </div>
      {event.error && <p className="text-[13px] break-words text-bad">{event.error}</p>}
      {open && inspected.isPending && <SkeletonRows rows={2} />}
      {open && inspected.isError && <ErrorState compact error={inspected.error} />}
      {open && inspected.data && (
        <div className="space-y-2">
          <p className="text-[13px] text-ink-3">
            {inspected.data.gone ? 'It has left the log; a retry takes it off the queue.' : `Recorded ${timestamp(inspected.data.recordedAt ?? event.at)}.`}
            {inspected.data.decodeError && ` It cannot be decoded: ${inspected.data.decodeError}`}
          </p>
          <JsonView label={`event ${event.position}`} value={inspected.data.data ?? inspected.data.raw ?? null} />
        </div>
      )}
    </li>
  )
}

function DiscardDialog({ name, event, onClose }: { name: string; event: ParkedEvent; onClose: () => void }) {
  const { discard } = useProjectionCommands(name)
  const [reason, setReason] = useState('')
  function submit(e: FormEvent) {
    e.preventDefault()
    discard.mutate({ position: event.position, reason: reason.trim() }, { onSuccess: onClose })
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Discard event ${event.position}`}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="danger" type="submit" form="discard-form" disabled={discard.isPending || reason.trim() === ''}>
            Discard
          </Button>
        </>
      }
    >
      <form id="discard-form" onSubmit={submit} className="space-y-4">
        <p>
          “{name}” will leave this event out, now and at every rebuild. The event stays in the log, and the decision is recorded with your name.
        </p>
        <Field label="Reason">{(props) => <Input {...props} required maxLength={2000} value={reason} onChange={(e) => setReason(e.target.value)} />}</Field>
        {discard.isError && <ErrorState compact error={discard.error} />}
      </form>
    </Dialog>
  )
}
