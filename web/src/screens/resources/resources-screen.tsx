import { useInfiniteQuery } from '@tanstack/react-query'
import { Boxes } from 'lucide-react'
import { useApi } from '@/lib/api/context'
import { baseUrl } from '@/lib/base'
import { timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { setQuery, useRoute } from '@/lib/router'
import { curlPost } from '@/lib/snippets'
import { Badge, PageHeader } from '@/ui/bits'
import { Button } from '@/ui/button'
import { Dialog } from '@/ui/dialog'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { FirstStep } from '@/ui/first-step'
import { Input, Select } from '@/ui/form'
import { docsHref } from '../shell'
import type { Kind, Row } from './kinds'
import { kinds } from './kinds'
import { TimeTravel } from './time-travel'

const kindOf = (key: string | null): Kind => kinds.find((kind) => kind.key === key) ?? (kinds[0] as Kind)

function useRows(kind: Kind, search: string) {
  const api = useApi()
  return useInfiniteQuery({
    queryKey: ['resources', kind.key, search],
    queryFn: ({ pageParam, signal }) => kind.page(api, pageParam, search, signal),
    initialPageParam: '',
    getNextPageParam: (page) => (page.hasMore ? page.nextCursor : undefined),
  })
}

/** Everything that the log keeps a history of, to be looked at as it is and as it was. */
export function ResourcesScreen() {
  useTitle('Resources')
  const { query } = useRoute()
  const kind = kindOf(query.get('kind'))
  const id = query.get('id') ?? ''
  const typed = query.get('search') ?? ''
  const search = useSettled(typed, 250)
  const rows = useRows(kind, search)
  const found = rows.data?.pages.flatMap((page) => page.items) ?? []
  const shown = found.find((row) => row.id === id)
  return (
    <div className="space-y-4">
      <PageHeader title="Resources" lead="As they are, and as they were at any revision.">
        {kind.searchable && (
          <Input type="search" aria-label="Search" placeholder="Search" value={typed} onChange={(e) => setQuery({ search: e.target.value })} className="min-w-32 flex-1 sm:w-52 sm:flex-none" />
        )}
        <Select aria-label="Kind" value={kind.key} onChange={(e) => setQuery({ kind: e.target.value, search: '', id: '' }, { push: true })} className="min-w-36 flex-1 sm:w-44 sm:flex-none">
          {kinds.map((k) => (
            <option key={k.key} value={k.key}>
              {k.label}
            </option>
          ))}
        </Select>
      </PageHeader>
      {rows.isError && <ErrorState error={rows.error} onRetry={() => void rows.refetch()} />}
      {rows.isPending && <SkeletonRows rows={8} />}
      {rows.isSuccess && found.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Boxes />} title={search ? 'Nothing matches' : `No ${lowered(kind.label)} yet`}>
            {search ? <p>Search for something else.</p> : <NextStep kind={kind} />}
          </EmptyState>
        </div>
      )}
      {found.length > 0 && <Rows label={kind.label} rows={found} />}
      {rows.hasNextPage && (
        <Button className="w-full" disabled={rows.isFetchingNextPage} onClick={() => void rows.fetchNextPage()}>
          {rows.isFetchingNextPage ? 'Loading…' : 'Load more'}
        </Button>
      )}
      <Dialog shape="drawer" open={id !== ''} onClose={() => setQuery({ id: '' })} title={shown?.name ?? id} description={<span className="font-mono text-xs break-all">{id}</span>}>
        {id && <TimeTravel key={`${kind.key} ${id}`} path={kind.path(id)} />}
      </Dialog>
    </div>
  )
}

/** A label within a sentence: "sessions", but "API keys". */
const lowered = (label: string) => label.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())

function NextStep({ kind }: { kind: Kind }) {
  if (kind.make) return <FirstStep what="The first is made with the API:" label="example" code={curlPost(baseUrl(location), kind.make.path, kind.make.body)} />
  return (
    <p>
      The{' '}
      <a href={docsHref} className="text-accent underline underline-offset-4">
        API reference
      </a>{' '}
      says how they are made.
    </p>
  )
}

function Rows({ label, rows }: { label: string; rows: Row[] }) {
  return (
    <ul aria-label={label} className="panel divide-y divide-line overflow-hidden">
      {rows.map((row) => (
        <li key={row.id}>
          <button
            type="button"
            onClick={() => setQuery({ id: row.id }, { push: true })}
            className="flex w-full items-center gap-3 px-4 py-2.5 text-left -outline-offset-2 hover:bg-hover/60"
          >
            <span className="min-w-0 flex-1">
              <span className="block truncate font-medium">{row.name}</span>
              <span className="block truncate font-mono text-xs text-ink-3">{row.id}</span>
            </span>
            {row.note && <Badge>{row.note}</Badge>}
            {row.at && <time dateTime={row.at} className="tabular hidden text-[13px] text-ink-3 sm:block">{timestamp(row.at)}</time>}
          </button>
        </li>
      ))}
    </ul>
  )
}
