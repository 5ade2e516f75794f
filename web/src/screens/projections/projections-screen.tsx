import { useTitle } from '@/lib/hooks'
import type { Projection } from '@/lib/api/projections'
import { rebuilding, rebuildShare } from '@/lib/api/projections'
import { humanise, integer } from '@/lib/format'
import { setQuery, useRoute } from '@/lib/router'
import { Badge, PageHeader, Panel, Progress } from '@/ui/bits'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { ProjectionDrawer } from './projection-drawer'
import { useProjections } from './use-projections'

const tones = { running: 'good', rebuilding: 'accent', stopped: 'neutral', faulted: 'bad' } as const

/** How far everything that follows the log is, and what has been set aside. */
export function ProjectionsScreen() {
  useTitle('Projections')
  const { query } = useRoute()
  const projections = useProjections()
  const all = projections.data ?? []
  const shown = all.find((p) => p.name === query.get('name'))
  return (
    <div className="space-y-4">
      <PageHeader title="Projections" lead="What is folded from the log. All of it can be thrown away and built again." />
      {projections.isError && <ErrorState error={projections.error} onRetry={() => void projections.refetch()} />}
      {projections.isPending && <SkeletonRows rows={8} />}
      {all.length > 0 && (
        <>
          <Table title="Read models" rows={all.filter((p) => p.kind === 'model')} />
          <Table title="Reactors and writers" rows={all.filter((p) => p.kind === 'reactor')} />
        </>
      )}
      <ProjectionDrawer projection={shown} onClose={() => setQuery({ name: '' })} />
    </div>
  )
}

function Table({ title, rows }: { title: string; rows: Projection[] }) {
  return (
    <Panel title={title}>
      <div className="overflow-x-auto" role="region" aria-label={`${title}, table`} tabIndex={0}>
        <table className="tabular w-full" aria-label={title}>
          <thead>
            <tr className="border-b border-line text-[13px] text-ink-3">
              <th scope="col" className="px-4 py-2 text-left font-normal">
                Name
              </th>
              <th scope="col" className="px-3 py-2 text-left font-normal">
                Status
              </th>
              {['Position', 'Behind', 'Parked'].map((name) => (
                <th key={name} scope="col" className="px-4 py-2 text-right font-normal">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((p) => (
              <tr key={p.name} className="relative border-b border-line last:border-0 hover:bg-hover/60">
                <th scope="row" className="px-4 py-2.5 text-left font-medium">
                  <button type="button" className="text-left after:absolute after:inset-0" onClick={() => setQuery({ name: p.name }, { push: true })}>
                    {p.name}
                  </button>
                </th>
                <td className="px-3 py-2.5">
                  <Status projection={p} />
                </td>
                <td className="px-4 py-2.5 text-right">{integer(p.position)}</td>
                <td className="px-4 py-2.5 text-right">{integer(p.lag)}</td>
                <td className="px-4 py-2.5 text-right">{p.parked > 0 ? <Badge tone="bad">{integer(p.parked)}</Badge> : '0'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

export function Status({ projection: p }: { projection: Projection }) {
  return (
    <span className="flex items-center gap-2">
      <Badge tone={p.parked > 0 && p.status === 'running' ? 'warn' : tones[p.status]}>{humanise(p.status === 'running' ? p.state : p.status)}</Badge>
      {p.rebuild && rebuilding(p) && (
        <span className="hidden w-24 sm:block">
          <Progress steady value={rebuildShare(p.rebuild)} label={`${p.name}: share rebuilt`} />
        </span>
      )}
    </span>
  )
}
