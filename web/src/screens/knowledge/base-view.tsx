import { FileText, RotateCw, Trash2, Upload } from 'lucide-react'
import type { DragEvent } from 'react'
import { useRef, useState } from 'react'
import { baseUrl } from '@/lib/base'
import { ago, count, timestamp } from '@/lib/format'
import { highlight } from '@/lib/highlight'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { setQuery, useRoute } from '@/lib/router'
import { curlDocument } from '@/lib/snippets'
import { PageHeader, Panel, Progress } from '@/ui/bits'
import { Button, IconButton } from '@/ui/button'
import { Confirm } from '@/ui/confirm'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { FirstStep } from '@/ui/first-step'
import { Segments } from '@/ui/form'
import { Cell, Head, MoreButton, rowClass, Table, Trail } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { StateBadge } from '@/ui/state-badge'
import type { Base, Document, Hit, Mode } from './use-knowledge'
import { useBase, useDocuments, useKnowledgeCommands, useSearch } from './use-knowledge'

/** One knowledge base: search in it, its documents, and how far each is. */
export function BaseView({ id }: { id: string }) {
  const base = useBase(id)
  useTitle(base.data?.name ?? 'Knowledge')
  // What becomes of a document changes the totals of its base.
  useLive('knowledge_document.*,knowledge_base.*', ['base', id])
  return (
    <div className="space-y-5">
      <Trail steps={[{ to: 'knowledge', label: 'Knowledge' }]} />
      {base.isError && <ErrorState error={base.error} onRetry={() => void base.refetch()} />}
      {base.isPending && <SkeletonRows rows={6} />}
      {base.data && <Shown base={base.data} />}
    </div>
  )
}

function Shown({ base }: { base: Base }) {
  return (
    <>
      <PageHeader
        title={base.name}
        lead={`${base.description ? `${base.description} · ` : ''}${base.embeddingModel}, ${base.chunkSize} tokens a chunk, ${base.chunkOverlap} shared`}
      >
        <StateBadge state={base.status} />
      </PageHeader>
      <SearchPanel base={base} />
      <Documents base={base} />
    </>
  )
}

const modes: { value: Mode; label: string; title: string }[] = [
  { value: 'hybrid', label: 'Both', title: 'By meaning and by words' },
  { value: 'vector', label: 'Meaning', title: 'By meaning alone' },
  { value: 'keyword', label: 'Words', title: 'By words alone' },
]

function SearchPanel({ base }: { base: Base }) {
  const { query } = useRoute()
  const asked = query.get('q') ?? ''
  const mode = modes.find(({ value }) => value === query.get('mode'))?.value ?? 'hybrid'
  const settled = useSettled(asked.trim(), 300)
  const found = useSearch(base.id, settled, mode)
  return (
    <Panel title="Search" aside={found.data && settled && <span className="tabular text-[13px] text-ink-3">{found.data.tookMs.toFixed(1)} ms</span>}>
      <div className="space-y-3 p-4 pt-2">
        <div className="flex flex-wrap gap-2">
          <SearchBox wide label="Search in the documents" placeholder="Ask something, or name a word" value={asked} onChange={(next) => setQuery({ q: next })} />
          <Segments label="What counts" value={mode} options={modes} onChange={(next) => setQuery({ mode: next === 'hybrid' ? '' : next })} />
        </div>
        {found.isError && <ErrorState compact error={found.error} onRetry={() => void found.refetch()} />}
        {settled && found.isPending && <SkeletonRows rows={3} />}
        {settled && found.data?.results.length === 0 && <p className="text-ink-3">Nothing fits.</p>}
        {settled && found.data && found.data.results.length > 0 && (
          <ol aria-label="Results" className="space-y-2.5">
            {found.data.results.map((hit) => (
              <HitItem key={hit.chunkId} hit={hit} query={settled} best={found.data.results[0]?.score ?? 1} />
            ))}
          </ol>
        )}
      </div>
    </Panel>
  )
}

function HitItem({ hit, query, best }: { hit: Hit; query: string; best: number }) {
  const place = [...(hit.headings ?? []), ...(hit.page ? [`page ${hit.page}`] : [])]
  return (
    <li className="rounded-lg border border-line p-3">
      <div className="flex items-start justify-between gap-4">
        <p className="min-w-0 text-[13px] text-ink-3">
          <span className="font-medium text-ink-2">{hit.documentName}</span>
          {place.length > 0 && ` · ${place.join(' › ')}`}
        </p>
        <div className="tabular w-20 shrink-0 space-y-1 text-right text-[13px]">
          {hit.score.toFixed(3)}
          <Progress steady value={best > 0 ? hit.score / best : 0} label={`Score of ${hit.chunkId}, against the best`} />
        </div>
      </div>
      <p className="mt-1 max-h-60 overflow-y-auto break-words whitespace-pre-wrap">
        {highlight(hit.content, query).map((part, index) =>
          part.hit ? (
            <mark key={index} className="rounded-sm bg-accent-soft px-0.5 text-accent">
              {part.text}
            </mark>
          ) : (
            part.text
          ),
        )}
      </p>
    </li>
  )
}

function Documents({ base }: { base: Base }) {
  const documents = useDocuments(base.id)
  useLive('knowledge_document.*', ['documents', base.id])
  const [doomed, setDoomed] = useState<Document>()
  return (
    <Panel title="Documents" aside={<span className="tabular text-[13px] text-ink-3">{count(base.documentCount)} in {count(base.chunkCount)} chunks</span>}>
      <UploadBox base={base} />
      {documents.isError && (
        <div className="px-4 pb-4">
          <ErrorState compact error={documents.error} onRetry={() => void documents.refetch()} />
        </div>
      )}
      {documents.isPending && <SkeletonRows rows={3} className="p-4" />}
      {documents.isSuccess && documents.items.length === 0 && (
        <EmptyState icon={<FileText />} title="No documents yet">
          <FirstStep what="Drop some above, or send them with the API. They can be searched as soon as they are embedded." label="upload example" code={curlDocument(baseUrl(location), base.id)} />
        </EmptyState>
      )}
      {documents.items.length > 0 && (
        <>
          <Table label="Documents" minWidth="48rem">
            <Head columns={[{ name: 'Name' }, { name: 'Status' }, { name: 'Embedded' }, { name: 'Tokens', right: true }, { name: 'Bytes', right: true }, { name: 'Added', right: true }, { name: 'Actions', right: true }]} />
            <tbody>
              {documents.items.map((document) => (
                <DocumentRow key={document.id} base={base.id} document={document} onRemove={() => setDoomed(document)} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={documents} />
        </>
      )}
      {doomed && <RemoveDialog base={base.id} document={doomed} onClose={() => setDoomed(undefined)} />}
    </Panel>
  )
}

function DocumentRow({ base, document, onRemove }: { base: string; document: Document; onRemove: () => void }) {
  const { reprocess } = useKnowledgeCommands(base)
  const share = document.chunkCount > 0 ? document.embeddedCount / document.chunkCount : 0
  return (
    <tr className={rowClass}>
      <th scope="row" className="max-w-44 sm:max-w-80 px-4 py-2.5 text-left font-medium">
        <span className="block truncate">{document.name}</span>
        <span className="block truncate text-[13px] font-normal text-ink-3">{document.mimeType}</span>
        {document.error && <span className="block text-[13px] font-normal text-bad">{document.error}</span>}
      </th>
      <Cell>
        <StateBadge state={document.status} />
      </Cell>
      <Cell>
        <span className="flex items-center gap-2.5 whitespace-nowrap">
          {document.chunkCount > 0 ? `${count(document.embeddedCount)} of ${count(document.chunkCount)}` : '–'}
          {document.status === 'processing' && (
            <span className="w-20">
              <Progress steady value={share} label={`${document.name}: share embedded`} />
            </span>
          )}
        </span>
      </Cell>
      <Cell right>{count(document.tokenCount)}</Cell>
      <Cell right>{count(document.sizeBytes)}</Cell>
      <Cell right className="whitespace-nowrap text-ink-3">
        <time dateTime={document.createdAt} title={timestamp(document.createdAt)}>
          {ago(document.createdAt, Date.now())}
        </time>
      </Cell>
      <Cell right className="whitespace-nowrap">
        <IconButton label={`Process ${document.name} again`} disabled={reprocess.isPending} onClick={() => reprocess.mutate(document.id)}>
          <RotateCw />
        </IconButton>
        <IconButton label={`Delete ${document.name}`} onClick={onRemove}>
          <Trash2 />
        </IconButton>
      </Cell>
    </tr>
  )
}

/** Takes files that are chosen or dropped, and says of each that was refused why. */
function UploadBox({ base }: { base: Base }) {
  const { upload } = useKnowledgeCommands(base.id)
  const input = useRef<HTMLInputElement>(null)
  const [over, setOver] = useState(false)
  const send = (files: FileList | null) => files && files.length > 0 && upload.mutate([...files])
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    send(event.dataTransfer.files)
  }
  return (
    <div className="space-y-3 p-4 pt-2">
      <div
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        className={`flex flex-wrap items-center gap-3 rounded-lg border border-dashed px-4 py-3 ${over ? 'border-accent bg-accent-soft' : 'border-line-strong'}`}
      >
        <Button disabled={upload.isPending} onClick={() => input.current?.click()}>
          <Upload /> {upload.isPending ? 'Uploading…' : 'Upload documents'}
        </Button>
        <span className="text-[13px] text-ink-3">or drop them here: text, Markdown, HTML, PDF, DOCX, CSV, XLSX, JSON</span>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          aria-label="Documents to upload"
          onChange={(event) => {
            send(event.target.files)
            // The same file may be chosen again.
            event.target.value = ''
          }}
        />
      </div>
      {upload.isError && <ErrorState compact error={upload.error} />}
      {upload.data?.rejected.map((file) => (
        <ErrorState key={file.name} compact error={new Error(`${file.name}: ${file.message}`)} />
      ))}
    </div>
  )
}

function RemoveDialog({ base, document, onClose }: { base: string; document: Document; onClose: () => void }) {
  const { remove } = useKnowledgeCommands(base)
  return (
    <Confirm title="Delete document" action="Delete" onClose={onClose} onConfirm={() => remove.mutate(document.id, { onSuccess: onClose })} pending={remove.isPending} error={remove.error}>
      <p>“{document.name}” will not be found any more.</p>
    </Confirm>
  )
}
