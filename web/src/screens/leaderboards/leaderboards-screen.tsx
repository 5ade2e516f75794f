import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Plus, Trophy } from 'lucide-react'
import { useApi } from '@/lib/api/context'
import type { Entry, MetricName, Ranking } from '@/lib/api/trainings'
import { bestFirst, metricLabel, metricNames, metricValue, nextRanking } from '@/lib/api/trainings'
import { ago, timestamp } from '@/lib/format'
import { useSettled, useTitle } from '@/lib/hooks'
import { useLive } from '@/lib/live'
import { Link, navigate, setQuery, useRoute } from '@/lib/router'
import { PageHeader } from '@/ui/bits'
import { Button } from '@/ui/button'
import { EmptyState, ErrorState, SkeletonRows } from '@/ui/feedback'
import { Select } from '@/ui/form'
import { Cell, MoreButton, rowClass, SortHead, Table } from '@/ui/list'
import { SearchBox } from '@/ui/search-box'
import { BenchmarkForm } from './benchmark-form'

interface Benchmark {
  id: string
  name: string
}

function useBenchmarks() {
  const api = useApi()
  return useQuery({
    queryKey: ['benchmarks'],
    queryFn: async ({ signal }) => (await api.list<Benchmark>('/api/v1/benchmarks', { limit: 100 }, signal)).items,
  })
}

function useLeaderboard(ranking: Ranking, benchmark: string, name: string) {
  const api = useApi()
  const pages = useInfiniteQuery({
    queryKey: ['leaderboard', ranking, benchmark, name],
    queryFn: ({ pageParam, signal }) =>
      api.list<Entry>(
        '/v1/leaderboards',
        {
          'order_by_metric.metric_name': ranking.metric,
          'order_by_metric.direction': ranking.direction,
          'order_by_metric.benchmark_id': benchmark,
          benchmarks: benchmark,
          name,
          limit: 50,
          after: pageParam,
        },
        signal,
      ),
    initialPageParam: '',
    getNextPageParam: (page) => (page.hasMore ? page.items.at(-1)?.checkpoint_id : undefined),
    placeholderData: keepPreviousData,
  })
  return { ...pages, items: pages.data?.pages.flatMap((page) => page.items) ?? [] }
}

/** The ranking that the address asks for; the best accuracy first when it asks for none. */
function rankingOf(query: URLSearchParams): Ranking {
  const metric = metricNames.find((name) => name === query.get('metric')) ?? 'accuracy'
  const direction = query.get('direction')
  return direction === 'asc' || direction === 'desc' ? { metric, direction } : bestFirst(metric)
}

/** The board, or the form of a benchmark. */
export function LeaderboardsScreen() {
  const { query } = useRoute()
  return query.has('new') ? <BenchmarkForm /> : <Board />
}

function Board() {
  useTitle('Leaderboards')
  const { query } = useRoute()
  const ranking = rankingOf(query)
  const benchmark = query.get('benchmark') ?? ''
  const name = query.get('name') ?? ''
  const benchmarks = useBenchmarks()
  const board = useLeaderboard(ranking, benchmark, useSettled(name.trim(), 250))
  useLive('evaluation.*', ['leaderboard'])
  const named = new Map(benchmarks.data?.map((b) => [b.id, b.name]))
  const narrowed = name !== '' || benchmark !== ''

  return (
    <div className="space-y-5">
      <PageHeader title="Leaderboards" lead={benchmark ? `Checkpoints as measured on ${named.get(benchmark) ?? benchmark}.` : 'Checkpoints by the mean over the benchmarks they were measured on.'}>
        <SearchBox label="Name of checkpoint" placeholder="Name" value={name} onChange={(next) => setQuery({ name: next })} />
        <Select aria-label="Benchmark" value={benchmark} onChange={(e) => setQuery({ benchmark: e.target.value })} className="min-w-36 flex-1 sm:w-60 sm:flex-none">
          <option value="">Mean over all benchmarks</option>
          {benchmarks.data?.map((b) => (
            <option key={b.id} value={b.id}>
              {b.name}
            </option>
          ))}
        </Select>
        <Button look="primary" onClick={() => navigate('leaderboards?new=1')}>
          <Plus /> New benchmark
        </Button>
      </PageHeader>
      {board.isError && <ErrorState error={board.error} onRetry={() => void board.refetch()} />}
      {board.isPending && <SkeletonRows rows={6} />}
      {board.isSuccess && board.items.length === 0 && (
        <div className="panel">
          <EmptyState icon={<Trophy />} title={narrowed ? 'Nothing fits' : 'Nothing was measured yet'}>
            <p>
              {narrowed
                ? 'No checkpoint was measured there under this name. Any checkpoint can be evaluated from its training’s page.'
                : 'Make a benchmark, then evaluate a checkpoint on it from its training’s page. A training that names benchmarks has its last checkpoint measured on them by itself.'}
            </p>
          </EmptyState>
        </div>
      )}
      {board.items.length > 0 && (
        <div className="panel">
          <Table label="Leaderboard" minWidth="64rem">
            <BoardHead ranking={ranking} />
            <tbody>
              {board.items.map((entry) => (
                <BoardRow key={entry.checkpoint_id} entry={entry} metric={ranking.metric} named={named} />
              ))}
            </tbody>
          </Table>
          <MoreButton pages={board} />
        </div>
      )}
    </div>
  )
}

function BoardHead({ ranking }: { ranking: Ranking }) {
  const sort = (metric: MetricName) => {
    const next = nextRanking(ranking, metric)
    setQuery({ metric: next.metric, direction: next.direction })
  }
  const sorted = ranking.direction === 'asc' ? 'ascending' : 'descending'
  return (
    <thead>
      <tr className="border-b border-line text-[13px] text-ink-3">
        <th scope="col" className="px-4 py-2 text-right font-normal">
          Rank
        </th>
        <th scope="col" className="px-4 py-2 text-left font-normal">
          Checkpoint
        </th>
        {metricNames.map((metric) => (
          <SortHead
            key={metric}
            right
            name={metricLabel(metric)}
            sorted={ranking.metric === metric ? sorted : undefined}
            onSort={() => sort(metric)}
            title={metric === 'log_loss' ? 'The least is the best' : 'The highest is the best'}
          />
        ))}
        <th scope="col" className="px-4 py-2 text-right font-normal">
          Measured
        </th>
      </tr>
    </thead>
  )
}

function BoardRow({ entry, metric, named }: { entry: Entry; metric: MetricName; named: Map<string, string> }) {
  const on = entry.results.map((result) => named.get(result.benchmark_id) ?? result.benchmark_id)
  return (
    <tr className={rowClass}>
      <td className="px-4 py-2.5 text-right font-semibold">{entry.rank}</td>
      <th scope="row" className="max-w-72 px-4 py-2.5 text-left font-medium">
        <Link to={`trainings?id=${encodeURIComponent(entry.training_id)}`} className="block truncate after:absolute after:inset-0">
          {entry.checkpoint_name || entry.checkpoint_id}
        </Link>
        <span className="block truncate text-[13px] font-normal text-ink-3" title={on.join(', ')}>
          {on.length === 1 ? on[0] : `${on.length} benchmarks`}
        </span>
      </th>
      {metricNames.map((name) => {
        const value = name === metric ? entry.score : entry.metrics[name]
        return (
          <Cell key={name} right className={name === metric ? 'bg-accent-soft/50 font-medium' : 'text-ink-2'}>
            {value === undefined || value === null ? '–' : metricValue(value)}
          </Cell>
        )
      })}
      <Cell right className="whitespace-nowrap text-ink-3">
        <time dateTime={entry.created_at} title={timestamp(entry.created_at)}>
          {ago(entry.created_at, Date.now())}
        </time>
      </Cell>
    </tr>
  )
}
