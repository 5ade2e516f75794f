import { Gauge, Square } from 'lucide-react'
import { useMemo, useState } from 'react'
import { CurveChart } from '@/charts/curve-chart'
import type { Checkpoint, Training } from '@/lib/api/trainings'
import { best, curvesOf, metricLabel, metricValue, over } from '@/lib/api/trainings'
import { clock, count, duration, timestamp } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Badge, PageHeader, Panel, Progress } from '@/ui/bits'
import { Button } from '@/ui/button'
import { Confirm } from '@/ui/confirm'
import { ErrorState, SkeletonRows } from '@/ui/feedback'
import { JsonView } from '@/ui/json'
import { Cell, Facts, Head, rowClass, Table, Trail } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { EvaluateDialog } from './evaluate-dialog'
import { useCancelTraining, useTraining } from './use-trainings'

/** One training: its curves as they grow, and what can be had of it. */
export function TrainingView({ id }: { id: string }) {
  const training = useTraining(id)
  const found = training.data
  useTitle(found?.name ?? 'Training')
  const feed = useLive('training.*', ['training', id], { subject: id, active: !found || !over(found.status) })
  return (
    <div className="space-y-5">
      <Trail steps={[{ to: 'trainings', label: 'Trainings' }]} />
      {training.isError && <ErrorState error={training.error} onRetry={() => void training.refetch()} />}
      {training.isPending && <SkeletonRows rows={6} />}
      {found && (
        <>
          <PageHeader title={found.name} lead={found.architecture.replaceAll('_', ' ')}>
            {feed === 'live' && <Badge tone="good">Live</Badge>}
            <StateBadge state={found.status} />
            {!over(found.status) && <CancelButton training={found} />}
          </PageHeader>
          {found.reason && <ErrorState error={new Error(found.reason.message)} />}
          <TrainingFacts training={found} />
          <CurvePanels training={found} />
          <Checkpoints checkpoints={found.checkpoints} />
          <Panel title="Configuration">
            <div className="p-4 pt-2">
              <JsonView label="configuration as JSON" value={found.configuration} />
            </div>
          </Panel>
        </>
      )}
    </div>
  )
}

function TrainingFacts({ training }: { training: Training }) {
  const done = training.metrics.at(-1)?.epoch ?? 0
  const tracked = ['validation_loss', 'accuracy'].map((name) => ({ name, found: best(training.metrics, name) }))
  return (
    <div className="panel space-y-4 p-4">
      <Facts
        facts={[
          ['Epochs', training.epochs > 0 ? `${done} of ${training.epochs}` : String(done)],
          ['Trained by', training.runner === 'built_in' ? 'Strata' : training.runner || '–'],
          ['Attempt', training.attempt],
          ['Took', took(training)],
          ...tracked.map(({ name, found }): [string, string] => [
            `Best ${metricLabel(name).toLowerCase()}`,
            found ? `${metricValue(found.value)} in epoch ${found.epoch}` : '–',
          ]),
        ]}
      />
      {training.status === 'running' && training.epochs > 0 && <Progress steady value={done / training.epochs} label="Epochs done" />}
    </div>
  )
}

function took({ startedAt, endedAt }: Training): string {
  if (!startedAt) return '–'
  return duration(Math.max(0, (endedAt ? Date.parse(endedAt) : Date.now()) - Date.parse(startedAt)))
}

function CurvePanels({ training }: { training: Training }) {
  const { epochs, losses, scores } = useMemo(() => curvesOf(training.metrics), [training.metrics])
  if (epochs.length === 0) {
    return (
      <Panel title="Curves">
        <p className="px-4 pb-4 text-ink-3">{over(training.status) ? 'It ended before its first epoch.' : 'They begin with the first epoch.'}</p>
      </Panel>
    )
  }
  const chart = (label: string, curves: typeof losses) =>
    curves.length > 0 && (
      <Panel title={label}>
        <CurveChart label={label} epochs={epochs} curves={curves} planned={training.epochs} />
      </Panel>
    )
  return (
    <div className="grid gap-4 xl:grid-cols-2">
      {chart('Loss', losses)}
      {chart('Metrics', scores)}
    </div>
  )
}

const shownMetrics = ['validation_loss', 'accuracy', 'f1', 'roc_auc']

function Checkpoints({ checkpoints }: { checkpoints: Checkpoint[] }) {
  const [measured, setMeasured] = useState<Checkpoint>()
  if (checkpoints.length === 0) return null
  return (
    <Panel title="Checkpoints">
      <Table label="Checkpoints" minWidth="48rem">
        <Head
          columns={[
            { name: 'Name' },
            { name: 'Epoch', right: true },
            ...shownMetrics.map((name) => ({ name: metricLabel(name), right: true })),
            { name: 'Bytes', right: true },
            { name: 'Recorded', right: true },
            { name: 'Actions', right: true },
          ]}
        />
        <tbody>
          {checkpoints.toReversed().map((checkpoint) => (
            <tr key={checkpoint.id} className={rowClass}>
              <th scope="row" className="px-4 py-2.5 text-left font-medium">
                <span className="flex items-center gap-2">
                  {checkpoint.name}
                  {checkpoint.final && <Badge tone="accent">final</Badge>}
                </span>
                <span className="block font-mono text-xs font-normal text-ink-3">{checkpoint.id}</span>
              </th>
              <Cell right>{checkpoint.step}</Cell>
              {shownMetrics.map((name) => (
                <Cell key={name} right>
                  {checkpoint.metrics[name] === undefined ? '–' : metricValue(checkpoint.metrics[name])}
                </Cell>
              ))}
              <Cell right>{checkpoint.sizeBytes ? count(checkpoint.sizeBytes) : '–'}</Cell>
              <Cell right className="whitespace-nowrap text-ink-3">
                <time dateTime={checkpoint.createdAt} title={timestamp(checkpoint.createdAt)}>
                  {clock(checkpoint.createdAt)}
                </time>
              </Cell>
              <Cell right>
                <Button small look="ghost" aria-label={`Evaluate ${checkpoint.name}`} onClick={() => setMeasured(checkpoint)}>
                  <Gauge /> Evaluate
                </Button>
              </Cell>
            </tr>
          ))}
        </tbody>
      </Table>
      {measured && <EvaluateDialog checkpoint={measured} onClose={() => setMeasured(undefined)} />}
    </Panel>
  )
}

function CancelButton({ training }: { training: Training }) {
  const cancel = useCancelTraining(training.id)
  const [asking, setAsking] = useState(false)
  return (
    <>
      <Button look="danger" onClick={() => setAsking(true)}>
        <Square /> Cancel
      </Button>
      {asking && (
        <Confirm
          title="Cancel training"
          action="Cancel training"
          onClose={() => setAsking(false)}
          onConfirm={() => cancel.mutate(undefined, { onSuccess: () => setAsking(false) })}
          pending={cancel.isPending}
          error={cancel.error}
        >
          <p>“{training.name}” stops at once. Its checkpoints stay.</p>
        </Confirm>
      )}
    </>
  )
}
