import { Search, Workflow as WorkflowIcon } from 'lucide-react'
import type { Workflow } from '@/lib/api/workflows'
import { ago, timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, setQuery, useRoute } from '@/lib/router'
import { PageHeader } from '@/ui/bits'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Input } from '@/ui/form'
import { Cell, Head, MoreButton, rowClass, Table } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { RunView } from './run-view'
import { useWorkflows } from './use-workflows'
import { WorkflowView } from './workflow-view'

/** All workflows; one, with its graph and runs; or one run. */
export function WorkflowsScreen() {
  const { query } = useRoute()
  const id = query.get('id') ?? ''
  const run = query.get('run') ?? ''
  if (id && run) return <RunView key={run} id={id} runId={run} />
  return id ? <WorkflowView key={id} id={id} /> : <WorkflowList />
}

export const workflowLink = (id: string, run = '') => `workflows?id=${encodeURIComponent(id)}${run && `&run=${encodeURIComponent(run)}`}`

function WorkflowList() {
  useTitle('Workflows')
  const { query } = useRoute()
  const search = query.get('search') ?? ''
  const workflows = useWorkflows(useSettled(search, 250))
  useLive('workflow.*', ['workflows'])
  return (
    <div className="space-y-5">
      <PageHeader title="Workflows" lead="Graphs of models, tools, conditions and people. A run goes on where it was, whatever happens to the server.">
        <div className="relative">
          <Search aria-hidden className="pointer-events-none absolute top-2.5 left-3 size-4 text-ink-3" />
          <Input aria-label="Search workflows" placeholder="Search" value={search} onChange={(e) => setQuery({ search: e.target.value })} className="pl-9" />
        </div>
      </PageHeader>
      {workflows.isError && <ErrorState error={workflows.error} onRetry={() => void workflows.refetch()} />}
      {workflows.isPending && <SkeletonRows rows={5} />}
      {workflows.isSuccess && workflows.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<WorkflowIcon />} title={search ? 'Nothing fits' : 'No workflows yet'}>
            <p>{search ? 'Search for something else.' : 'A workflow is made with POST /api/v1/workflows; its page here shows it as a graph and lets you run it.'}</p>
          </EmptyState>
        </div>
      )}
      {workflows.items.length > 0 && (
        <div className="panel">
          <Table label="Workflows">
            <Head columns={[{ name: 'Name' }, { name: 'Status' }, { name: 'Nodes', right: true }, { name: 'Version', right: true }, { name: 'Changed', right: true }]} />
            <tbody>
              {workflows.items.map((workflow) => (
                <WorkflowRow key={workflow.id} workflow={workflow} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={workflows} />
        </div>
      )}
    </div>
  )
}

function WorkflowRow({ workflow }: { workflow: Workflow }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-96 px-4 py-2.5 text-left font-medium">
        <Link to={workflowLink(workflow.id)} className="block truncate after:absolute after:inset-0">
          {workflow.name}
        </Link>
        {workflow.description && <span className="block truncate text-[13px] font-normal text-ink-3">{workflow.description}</span>}
      </th>
      <Cell>
        <StateBadge state={workflow.status} />
      </Cell>
      <Cell right>{workflow.nodes?.length ?? 0}</Cell>
      <Cell right>{workflow.version}</Cell>
      <Cell right className="whitespace-nowrap text-ink-3">
        {workflow.updatedAt && (
          <time dateTime={workflow.updatedAt} title={timestamp(workflow.updatedAt)}>
            {ago(workflow.updatedAt, Date.now())}
          </time>
        )}
      </Cell>
    </tr>
  )
}
