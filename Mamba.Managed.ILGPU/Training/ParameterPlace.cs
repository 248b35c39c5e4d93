using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>Some rows of a parameter that follow one another in a checkpoint and in device memory.</summary>
/// <param name="From">The first in a checkpoint.</param>
/// <param name="Count">How many.</param>
/// <param name="To">The first in device memory.</param>
internal readonly record struct RowRun(int From, int Count, int To);

/// <summary>Where a parameter lies among all parameters in device memory: a matrix with rows of some pitch; a vector has one column.</summary>
/// <param name="Path">Its name in a checkpoint.</param>
/// <param name="Start">Its first entry, a multiple of <see cref="AdamWUpdate.Unit"/>.</param>
/// <param name="Rows">Rows in device memory, padding included.</param>
/// <param name="Pitch">Entries from one row to the next.</param>
/// <param name="Columns">Entries of a row in a checkpoint.</param>
/// <param name="Runs">Which rows go where.</param>
/// <param name="Decays">Whether weight decay applies.</param>
internal sealed record ParameterPlace(string Path, long Start, int Rows, int Pitch, int Columns, RowRun[] Runs, bool Decays)
{
    /// <summary>Entries in device memory.</summary>
    public long Length => (long)Rows * Pitch;

    /// <summary>Entries in a checkpoint.</summary>
    public int Count => Runs.Sum(run => run.Count) * Columns;
}
