using Mamba.Managed.Execution;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>States that are given back together.</summary>
internal sealed class StateSet(IMambaExecutor executor, int count) : IDisposable
{
    public SequenceState[] All { get; } = [.. Enumerable.Range(0, count).Select(_ => executor.CreateState())];

    public void Dispose() => Array.ForEach(All, state => state.Dispose());
}
