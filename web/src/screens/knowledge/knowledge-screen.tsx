import { Library, Plus } from 'lucide-react'
import { useState } from 'react'
import { baseUrl } from '@/lib/base'
import { ago, count, timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, setQuery, useRoute } from '@/lib/router'
import { curlKnowledge } from '@/lib/snippets'
import { PageHeader } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { FirstStep } from '@/ui/first-step'
import { Cell, Head, MoreButton, rowClass, Table } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { StateBadge } from '@/ui/state-badge'
import { BaseView } from './base-view'
import { BaseDialog } from './base-dialog'
import type { Base } from './use-knowledge'
import { useBases } from './use-knowledge'

/** All knowledge bases, or one with its documents. */
export function KnowledgeScreen() {
  const { query } = useRoute()
  const id = query.get('id') ?? ''
  return id ? <BaseView key={id} id={id} /> : <BaseList />
}

export const baseLink = (id: string) => `knowledge?id=${encodeURIComponent(id)}`

function BaseList() {
  useTitle('Knowledge')
  const { query } = useRoute()
  const search = query.get('search') ?? ''
  const bases = useBases(useSettled(search, 250))
  useLive('knowledge_base.*,knowledge_document.*', ['bases'])
  const [creating, setCreating] = useState(false)
  return (
    <div className="space-y-5">
      <PageHeader title="Knowledge" lead="Documents that can be searched by meaning and that answers can be drawn from.">
        <SearchBox label="Search knowledge bases" value={search} onChange={(next) => setQuery({ search: next })} />
        <Button look="primary" onClick={() => setCreating(true)}>
          <Plus /> New knowledge base
        </Button>
      </PageHeader>
      {bases.isError && <ErrorState error={bases.error} onRetry={() => void bases.refetch()} />}
      {bases.isPending && <SkeletonRows rows={5} />}
      {bases.isSuccess && bases.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Library />} title={search ? 'Nothing fits' : 'No knowledge bases yet'}>
            {search ? (
              <p>Search for something else.</p>
            ) : (
              <FirstStep what="Make one here or with the API, and give it documents: text, Markdown, HTML, PDF, DOCX or tables." label="knowledge base example" code={curlKnowledge(baseUrl(location))} />
            )}
          </EmptyState>
        </div>
      )}
      {bases.items.length > 0 && (
        <div className="panel">
          <Table label="Knowledge bases">
            <Head columns={[{ name: 'Name' }, { name: 'Status' }, { name: 'Documents', right: true }, { name: 'Chunks', right: true }, { name: 'Model' }, { name: 'Changed', right: true }]} />
            <tbody>
              {bases.items.map((base) => (
                <BaseRow key={base.id} base={base} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={bases} />
        </div>
      )}
      {creating && <BaseDialog onClose={() => setCreating(false)} />}
    </div>
  )
}

function BaseRow({ base }: { base: Base }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-44 px-4 py-2.5 text-left font-medium sm:max-w-96">
        <Link to={baseLink(base.id)} className="block truncate after:absolute after:inset-0">
          {base.name}
        </Link>
        {base.description && <span className="block truncate text-[13px] font-normal text-ink-3">{base.description}</span>}
      </th>
      <Cell>
        <StateBadge state={base.status} />
      </Cell>
      <Cell right>{count(base.documentCount)}</Cell>
      <Cell right>{count(base.chunkCount)}</Cell>
      <Cell className="font-mono text-[13px] whitespace-nowrap">{base.embeddingModel}</Cell>
      <Cell right className="whitespace-nowrap text-ink-3">
        <time dateTime={base.updatedAt} title={timestamp(base.updatedAt)}>
          {ago(base.updatedAt, Date.now())}
        </time>
      </Cell>
    </tr>
  )
}
