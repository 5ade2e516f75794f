import { RotateCw, ScrollText } from 'lucide-react'
import { useMemo, useState } from 'react'
import { useApi } from '@/lib/api/context'
import { useTitle } from '@/lib/hooks'
import { setQuery, useRoute } from '@/lib/router'
import { curlChat } from '@/lib/snippets'
import { parseRange, rangeQuery } from '@/lib/time-range'
import { Dot, PageHeader } from '@/ui/bits'
import { Button, IconButton } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { RangePicker } from '@/ui/range-picker'
import { CallDrawer } from './call-drawer'
import { CallTable } from './call-table'
import { FilterBar } from './filter-bar'
import type { Filters } from './use-calls'
import { filterKeys, useCalls } from './use-calls'

export function LogsScreen() {
  useTitle('Inference log')
  const { base } = useApi()
  const { query } = useRoute()
  const range = useMemo(() => parseRange(query, '24h'), [query])
  const filters = useMemo(() => readFilters(query), [query])
  const [live, setLive] = useState(true)
  const log = useCalls(range, filters, live)
  const filtered = Object.keys(filters).length > 0
  const open = query.get('call') ?? ''

  return (
    <div className="space-y-4">
      <PageHeader title="Inference log" lead="Every model call, whatever became of it.">
        <RangePicker range={range} onChange={(next) => setQuery(rangeQuery(next))} />
        <Button aria-pressed={live} onClick={() => setLive(!live)}>
          <Dot tone={live ? 'good' : 'neutral'} pulse={live} />
          Live
        </Button>
        <IconButton label="Refresh" className="max-sm:hidden" onClick={() => void log.refetch()}>
          <RotateCw className={log.isRefetching ? 'animate-spin' : ''} />
        </IconButton>
      </PageHeader>
      <FilterBar filters={filters} />

      {log.isError && <ErrorState error={log.error} onRetry={() => void log.refetch()} />}
      {log.isPending && <SkeletonRows rows={12} />}
      {log.isSuccess && log.calls.length === 0 && (
        <div className="panel">
          {filtered ? (
            <EmptyState icon={<ScrollText />} title="No call matches">
              <p>Nothing in this time passes all filters.</p>
              <Button onClick={() => setQuery(Object.fromEntries(filterKeys.map((key) => [key, ''])))}>Clear filters</Button>
            </EmptyState>
          ) : (
            <EmptyState icon={<ScrollText />} title="No calls in this time">
              <p>Each call through the gateway becomes a row: what was asked and answered, what it took and what it cost.</p>
              <CodeBlock label="example call" code={curlChat(base)} />
            </EmptyState>
          )}
        </div>
      )}
      {log.calls.length > 0 && (
        <CallTable
          calls={log.calls}
          selected={open}
          onOpen={(id) => setQuery({ call: id }, { push: true })}
          hasMore={log.hasNextPage}
          loadingMore={log.isFetchingNextPage}
          onMore={() => void log.fetchNextPage()}
        />
      )}
      <CallDrawer id={open} onClose={() => setQuery({ call: '' })} />
    </div>
  )
}

function readFilters(query: URLSearchParams): Filters {
  const filters: Filters = {}
  for (const key of filterKeys) {
    const value = query.get(key)
    if (value) filters[key] = value
  }
  return filters
}
