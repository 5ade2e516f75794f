import type { ColumnDef, SortingState } from '@tanstack/react-table'
import { flexRender, getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { useState } from 'react'
import type { ModelUse } from '@/lib/api/analytics'
import { integer, usd } from '@/lib/format'
import { setQuery } from '@/lib/router'
import { Panel } from '@/ui/bits'

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
  const table = useReactTable({
    data: models,
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
