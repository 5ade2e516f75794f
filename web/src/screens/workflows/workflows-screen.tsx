import { Plus, Workflow as WorkflowIcon } from 'lucide-react'
import { lazy } from 'react'
import type { Workflow } from '@/lib/api/workflows'
import { baseUrl } from '@/lib/base'
import { ago, timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { curlWorkflow } from '@/lib/snippets'
import { PageHeader } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { FirstStep } from '@/ui/first-step'
import { Cell, Head, MoreButton, rowClass, Table } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { StateBadge } from '@/ui/state-badge'
import { RunView } from './run-view'
import { useWorkflow, useWorkflows } from './use-workflows'
import { WorkflowView } from './workflow-view'

// It brings a reader of YAML along.
const WorkflowEditor = lazy(() => import('./workflow-editor'))

/** All workflows; one, with its graph and runs; one run; or the editor of one. */
export function WorkflowsScreen() {
  const { query } = useRoute()
  const id = query.get('id') ?? ''
  const run = query.get('run') ?? ''
  if (id && run) return <RunView key={run} id={id} runId={run} />
  if (query.has('new')) return <WorkflowEditor />
  if (id && query.has('edit')) return <EditWorkflow key={id} id={id} />
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
        <SearchBox label="Search workflows" value={search} onChange={(next) => setQuery({ search: next })} />
        <Button look="primary" onClick={() => navigate('workflows?new=1')}>
          <Plus /> New workflow
        </Button>
      </PageHeader>
      {workflows.isError && <ErrorState error={workflows.error} onRetry={() => void workflows.refetch()} />}
      {workflows.isPending && <SkeletonRows rows={5} />}
      {workflows.isSuccess && workflows.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<WorkflowIcon />} title={search ? 'Nothing fits' : 'No workflows yet'}>
            {search ? <p>Search for something else.</p> : <FirstStep what="Make one here, or with the API:" label="workflow example" code={curlWorkflow(baseUrl(location))} />}
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

function EditWorkflow({ id }: { id: string }) {
  const workflow = useWorkflow(id, { fresh: true })
  // What is changed is what the server has now, not what was read some time ago.
  if (workflow.data && workflow.isFetchedAfterMount) return <WorkflowEditor workflow={workflow.data} />
  return workflow.isError ? <ErrorState error={workflow.error} onRetry={() => void workflow.refetch()} /> : <SkeletonRows rows={6} />
}

function WorkflowRow({ workflow }: { workflow: Workflow }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-44 px-4 py-2.5 text-left font-medium sm:max-w-96">
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
