import { GraduationCap, Plus } from 'lucide-react'
import type { Training } from '@/lib/api/trainings'
import { baseUrl } from '@/lib/base'
import { ago, timestamp } from '@/lib/format'
import { useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { curlConnector } from '@/lib/snippets'
import { PageHeader, Progress } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { FirstStep } from '@/ui/first-step'
import { Select } from '@/ui/form'
import { Cell, Head, MoreButton, rowClass, Table } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { TrainingForm } from './training-form'
import { TrainingView } from './training-view'
import { useTrainings } from './use-trainings'

const statuses = ['pending', 'queued', 'running', 'succeeded', 'failed', 'cancelled']

/** All trainings, one with its curves, or the form of one. */
export function TrainingsScreen() {
  const { query } = useRoute()
  const id = query.get('id') ?? ''
  if (query.has('new')) return <TrainingForm />
  return id ? <TrainingView key={id} id={id} /> : <TrainingList />
}

function TrainingList() {
  useTitle('Trainings')
  const { query } = useRoute()
  const status = query.get('status') ?? ''
  const trainings = useTrainings(status)
  useLive('training.*', ['trainings'])
  return (
    <div className="space-y-5">
      <PageHeader title="Trainings" lead="Models learned from your tables, here or on your cluster.">
        <Select aria-label="Status" value={status} onChange={(e) => setQuery({ status: e.target.value })} className="min-w-36 flex-1 sm:w-44 sm:flex-none">
          <option value="">All statuses</option>
          {statuses.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <Button look="primary" onClick={() => navigate('trainings?new=1')}>
          <Plus /> New training
        </Button>
      </PageHeader>
      {trainings.isError && <ErrorState error={trainings.error} onRetry={() => void trainings.refetch()} />}
      {trainings.isPending && <SkeletonRows rows={5} />}
      {trainings.isSuccess && trainings.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<GraduationCap />} title={status ? 'None is in this state' : 'No trainings yet'}>
            {status ? (
              <p>Look at another.</p>
            ) : (
              <FirstStep
                what="Start one here. It learns from a table in a bucket, CSV for one, that is reached through a connector:"
                label="connector example"
                code={curlConnector(baseUrl(location))}
              />
            )}
          </EmptyState>
        </div>
      )}
      {trainings.items.length > 0 && (
        <div className="panel">
          <Table label="Trainings">
            <Head columns={[{ name: 'Name' }, { name: 'Status' }, { name: 'Epochs' }, { name: 'Checkpoints', right: true }, { name: 'Created', right: true }]} />
            <tbody>
              {trainings.items.map((training) => (
                <TrainingRow key={training.id} training={training} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={trainings} />
        </div>
      )}
    </div>
  )
}

function TrainingRow({ training }: { training: Training }) {
  const done = training.metrics.at(-1)?.epoch ?? 0
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-80 px-4 py-2.5 text-left font-medium">
        <Link to={`trainings?id=${encodeURIComponent(training.id)}`} className="block truncate after:absolute after:inset-0">
          {training.name}
        </Link>
        <span className="block truncate text-[13px] font-normal text-ink-3">{training.architecture.replaceAll('_', ' ')}</span>
      </th>
      <Cell>
        <StateBadge state={training.status} />
      </Cell>
      <Cell>
        <span className="flex items-center gap-2.5 whitespace-nowrap">
          {training.epochs > 0 ? `${done} of ${training.epochs}` : done || '–'}
          {training.status === 'running' && training.epochs > 0 && (
            <span className="w-24">
              <Progress steady value={done / training.epochs} label={`${training.name}: epochs done`} />
            </span>
          )}
        </span>
      </Cell>
      <Cell right>{training.checkpoints.length}</Cell>
      <Cell right className="whitespace-nowrap text-ink-3">
        <time dateTime={training.createdAt} title={timestamp(training.createdAt)}>
          {ago(training.createdAt, Date.now())}
        </time>
      </Cell>
    </tr>
  )
}
