import type { ColumnDef, SortingState } from '@tanstack/react-table'
import { flexRender, getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { useMemo, useState } from 'react'
import type { ModelUse } from '@/lib/api/analytics'
import { integer, percent, usd } from '@/lib/format'
import { setQuery } from '@/lib/router'
import { Panel } from '@/ui/bits'

const colours = ['--chart-1', '--chart-2', '--chart-3', '--chart-4', '--chart-5', '--chart-6']
const shownBars = 5

/** Bars of what each model cost; without any cost, of how often each was called. */
export function CostByModel({ models, total }: { models: ModelUse[]; total: number }) {
  const free = total === 0
  const measure = (m: ModelUse) => (free ? m.calls : m.costUsd)
  const sorted = [...models].sort((a, b) => measure(b) - measure(a))
  const shown = sorted.slice(0, shownBars)
  const sum = models.reduce((all, m) => all + measure(m), 0)
  const max = Math.max(...shown.map(measure), Number.MIN_VALUE)
  const hidden = sorted.slice(shownBars).reduce((all, m) => all + measure(m), 0)
  const show = (value: number) => (free ? `${integer(value)} calls` : usd(value))
  return (
    <Panel title={free ? 'Calls by model' : 'Cost by model'} aside={free && <span className="text-xs text-ink-3">nothing was charged</span>}>
      <ul className="space-y-3 px-4 pt-2 pb-4">
        {shown.map((m, index) => (
          <li key={m.model}>
            <div className="flex items-baseline justify-between gap-3">
              <span className="truncate font-mono text-[13px]">{m.model}</span>
              <span className="tabular shrink-0">
                {show(measure(m))} <span className="inline-block w-11 text-right text-xs text-ink-3">{percent(sum ? measure(m) / sum : 0)}</span>
              </span>
            </div>
            <div className="mt-1 h-2 overflow-hidden rounded-full bg-hover">
              <div
                className="h-full rounded-full transition-[width] duration-500"
                style={{ width: `${(measure(m) / max) * 100}%`, background: `var(${colours[index % colours.length]})` }}
              />
            </div>
          </li>
        ))}
        {hidden > 0 && <li className="text-ink-3">and {show(hidden)} for {sorted.length - shownBars} more</li>}
      </ul>
    </Panel>
  )
}

const columns: ColumnDef<ModelUse>[] = [
  { accessorKey: 'model', header: 'Model', sortDescFirst: false },
  { accessorKey: 'calls', header: 'Calls', cell: (c) => integer(c.getValue<number>()) },
  { accessorKey: 'inputTokens', header: 'Input tokens', cell: (c) => integer(c.getValue<number>()) },
  { accessorKey: 'outputTokens', header: 'Output tokens', cell: (c) => integer(c.getValue<number>()) },
  { accessorKey: 'costUsd', header: 'Cost', cell: (c) => usd(c.getValue<number>()) },
  { id: 'perCall', header: 'Per call', accessorFn: (m) => (m.calls ? m.costUsd / m.calls : 0), cell: (c) => usd(c.getValue<number>()) },
]

/** All models of the range; a click shows the overview of one alone. */
export function ModelTable({ models }: { models: ModelUse[] }) {
  const [sorting, setSorting] = useState<SortingState>([{ id: 'costUsd', desc: true }])
  const data = useMemo(() => models, [models])
  const table = useReactTable({
    data,
    columns,
    state: { sorting },
    onSortingChange: setSorting,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  })
  return (
    <Panel title="By model">
      <div className="overflow-x-auto pt-1 pb-2" role="region" aria-label="Table of models" tabIndex={0}>
        <table className="tabular w-full min-w-[44rem] border-collapse">
          <thead>
            <tr className="border-b border-line text-[13px] text-ink-3">
              {table.getHeaderGroups()[0]?.headers.map((header, index) => {
                const sorted = header.column.getIsSorted()
                return (
                  <th
                    key={header.id}
                    scope="col"
                    aria-sort={sorted ? (sorted === 'asc' ? 'ascending' : 'descending') : 'none'}
                    className={index ? 'px-4 py-2 text-right font-normal' : 'px-4 py-2 text-left font-normal'}
                  >
                    <button type="button" onClick={header.column.getToggleSortingHandler()} className="inline-flex items-center gap-1 hover:text-ink">
                      {flexRender(header.column.columnDef.header, header.getContext())}
                      {sorted === 'asc' && <ArrowUp className="size-3.5" aria-hidden />}
                      {sorted === 'desc' && <ArrowDown className="size-3.5" aria-hidden />}
                    </button>
                  </th>
                )
              })}
            </tr>
          </thead>
          <tbody>
            {table.getRowModel().rows.map((row) => (
              <tr key={row.id} className="border-b border-line last:border-0 hover:bg-hover/60">
                {row.getVisibleCells().map((cell, index) => (
                  <td key={cell.id} className={index ? 'px-4 py-2 text-right' : 'max-w-72 px-4 py-2'}>
                    {index ? (
                      flexRender(cell.column.columnDef.cell, cell.getContext())
                    ) : (
                      <button
                        type="button"
                        className="max-w-full truncate font-mono text-[13px] underline-offset-4 hover:underline"
                        title="Show this model alone"
                        onClick={() => setQuery({ model: row.original.model })}
                      >
                        {row.original.model}
                      </button>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}
