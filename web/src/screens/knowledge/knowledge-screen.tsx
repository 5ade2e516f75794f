import { Library, Plus, Search } from 'lucide-react'
import type { FormEvent } from 'react'
import { useState } from 'react'
import { faultsOf } from '@/lib/faults'
import { ago, count, timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { PageHeader } from '@/ui/bits'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Field, Input } from '@/ui/form'
import { Cell, Head, MoreButton, rowClass, Table } from '@/ui/list'
import { StateBadge } from '@/ui/state-badge'
import { BaseView } from './base-view'
import type { Base } from './use-knowledge'
import { useBases, useKnowledgeCommands } from './use-knowledge'

/** All knowledge bases, or one with its documents. */
export function KnowledgeScreen() {
  const { query } = useRoute()
  const id = query.get('id') ?? ''
  return id ? <BaseView key={id} id={id} /> : <BaseList />
}

const baseLink = (id: string) => `knowledge?id=${encodeURIComponent(id)}`

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
        <div className="relative">
          <Search aria-hidden className="pointer-events-none absolute top-2.5 left-3 size-4 text-ink-3" />
          <Input aria-label="Search knowledge bases" placeholder="Search" value={search} onChange={(e) => setQuery({ search: e.target.value })} className="pl-9" />
        </div>
        <Button look="primary" onClick={() => setCreating(true)}>
          <Plus /> New knowledge base
        </Button>
      </PageHeader>
      {bases.isError && <ErrorState error={bases.error} onRetry={() => void bases.refetch()} />}
      {bases.isPending && <SkeletonRows rows={5} />}
      {bases.isSuccess && bases.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Library />} title={search ? 'Nothing fits' : 'No knowledge bases yet'}>
            <p>{search ? 'Search for something else.' : 'Make one, and give it documents: text, Markdown, HTML, PDF, DOCX or tables.'}</p>
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
      {creating && <CreateDialog onClose={() => setCreating(false)} />}
    </div>
  )
}

function BaseRow({ base }: { base: Base }) {
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-96 px-4 py-2.5 text-left font-medium">
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

function CreateDialog({ onClose }: { onClose: () => void }) {
  const { create } = useKnowledgeCommands('')
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const faults = faultsOf(create.error)
  const unplaced = create.isError && !faults.name && !faults.description

  function submit(event: FormEvent) {
    event.preventDefault()
    create.mutate({ name: name.trim(), description: description.trim() }, { onSuccess: (base) => navigate(baseLink(base.id)) })
  }

  return (
    <Dialog
      open
      onClose={onClose}
      title="New knowledge base"
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="base-form" disabled={create.isPending}>
            {create.isPending ? 'Creating…' : 'Create'}
          </Button>
        </>
      }
    >
      <form id="base-form" onSubmit={submit} className="space-y-4">
        <Field label="Name" error={faults.name}>
          {(props) => <Input {...props} required maxLength={200} value={name} onChange={(e) => setName(e.target.value)} />}
        </Field>
        <Field label="Description" error={faults.description} hint="Optional.">
          {(props) => <Input {...props} value={description} onChange={(e) => setDescription(e.target.value)} />}
        </Field>
        {unplaced && <ErrorState compact error={create.error} />}
      </form>
    </Dialog>
  )
}
