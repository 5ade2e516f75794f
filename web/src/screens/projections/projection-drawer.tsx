import { RefreshCw } from 'lucide-react'
import type { FormEvent } from 'react'
import { useState } from 'react'
import type { Difference, Projection, Rebuild } from '@/lib/api/projections'
import { rebuilding, rebuildShare, verdict } from '@/lib/api/projections'
import { integer, percent, timestamp } from '@/lib/format'
import { Progress } from '@/ui/bits'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { ErrorState } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { ParkedEvents } from './parked-events'
import { Status } from './projections-screen'
import { useProjectionCommands } from './use-projections'

/** One projection: where it stands, its rebuild, and what it has set aside. */
export function ProjectionDrawer({ projection: p, onClose }: { projection: Projection | undefined; onClose: () => void }) {
  return (
    <Dialog
      shape="drawer"
      open={p !== undefined}
      onClose={onClose}
      title={p?.name}
      description={p && (p.kind === 'model' ? `Read model, version ${p.version ?? 1}` : 'Reactor or writer')}
    >
      {p && (
        <div className="space-y-6">
          <Facts projection={p} />
          {p.kind === 'model' && <RebuildSection projection={p} />}
          <ParkedEvents projection={p} />
        </div>
      )}
    </Dialog>
  )
}

function Facts({ projection: p }: { projection: Projection }) {
  return (
    <div className="space-y-3">
      <dl className="tabular grid grid-cols-2 gap-x-4 gap-y-2 sm:grid-cols-4">
        {(
          [
            ['Status', <Status key="s" projection={p} />],
            ['Position', integer(p.position)],
            ['Log ends at', integer(p.head)],
            ['Behind', integer(p.lag)],
          ] as const
        ).map(([name, value]) => (
          <div key={name}>
            <dt className="text-[13px] text-ink-3">{name}</dt>
            <dd className="font-medium">{value}</dd>
          </div>
        ))}
      </dl>
      {p.error && <ErrorState compact error={new Error(p.error)} />}
    </div>
  )
}

function RebuildSection({ projection: p }: { projection: Projection }) {
  const { rebuild, cancel } = useProjectionCommands(p.name)
  const [limit, setLimit] = useState('')
  const busy = rebuilding(p)
  function submit(event: FormEvent) {
    event.preventDefault()
    rebuild.mutate(limit ? Number(limit) : 0)
  }
  return (
    <section aria-label="Rebuild" className="space-y-3">
      <h3 className="font-medium">Rebuild</h3>
      <p className="text-[13px] text-ink-3">New rows are built from the log beside these, compared with them, and take their place at one moment. Reads go on.</p>
      {p.rebuild && <Progressing name={p.name} rebuild={p.rebuild} />}
      {busy ? (
        <Button look="danger" disabled={cancel.isPending} onClick={() => cancel.mutate()}>
          Cancel the rebuild
        </Button>
      ) : (
        <form onSubmit={submit} className="flex flex-wrap items-end gap-3">
          <Field label="Events per second">
            {(props) => (
              <Input {...props} type="number" inputMode="numeric" min="1" max="10000000" step="1" placeholder="no limit" value={limit} onChange={(e) => setLimit(e.target.value)} className="tabular max-w-40" />
            )}
          </Field>
          <Button look="primary" type="submit" disabled={rebuild.isPending}>
            <RefreshCw /> Rebuild
          </Button>
        </form>
      )}
      {rebuild.isError && <ErrorState compact error={rebuild.error} />}
      {cancel.isError && <ErrorState compact error={cancel.error} />}
    </section>
  )
}

const phases = { filling: 'Folding the log', indexing: 'Building indexes', comparing: 'Comparing', done: 'Done', cancelled: 'Cancelled', failed: 'Failed' }

function Progressing({ name, rebuild }: { name: string; rebuild: Rebuild }) {
  const share = rebuildShare(rebuild)
  return (
    <div className="space-y-2 rounded-lg border border-line bg-sunken p-3.5" aria-live="polite">
      <p className="tabular flex flex-wrap items-baseline justify-between gap-x-3">
        <span className="font-medium">{phases[rebuild.state]}</span>
        <span className="text-[13px] text-ink-3">
          {rebuild.finishedAt ? timestamp(rebuild.finishedAt) : `${integer(rebuild.position)} of ${integer(rebuild.target)} · ${percent(share)}`}
        </span>
      </p>
      {rebuild.finishedAt === null && <Progress steady value={share} label={`${name}: share rebuilt`} />}
      {rebuild.error && <p className="text-bad">{rebuild.error}</p>}
      {rebuild.state === 'done' && <p>{verdict(rebuild)}</p>}
      {rebuild.leftOut > 0 && <p className="text-[13px] text-ink-3">{integer(rebuild.leftOut)} discarded events were left out.</p>}
      {rebuild.differences.map((d) => (
        <Differing key={d.table} difference={d} />
      ))}
    </div>
  )
}

function Differing({ difference: d }: { difference: Difference }) {
  return (
    <details className="text-[13px]">
      <summary className="cursor-pointer">
        <span className="font-mono">{d.table}</span>: {integer(d.onlyBefore)} rows gone, {integer(d.onlyAfter)} rows new
      </summary>
      <ul className="mt-1 space-y-1 font-mono text-xs text-ink-3">
        {d.samples.map((sample) => (
          <li key={sample} className="break-all">
            {sample}
          </li>
        ))}
      </ul>
    </details>
  )
}
