using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>Where the batches of a run come from: documents, or a task that draws its own.</summary>
/// <remarks>Everything follows from numbers, so that a run which goes on from a step sees what it would have seen.</remarks>
public interface IBatchSource
{
    /// <summary>One line that is the same for two sources only if they give the same batches; part of what a run and its continuation must agree on.</summary>
    string Description { get; }

    /// <summary>Whether <see cref="Validation"/> gives any batch.</summary>
    bool HasValidation { get; }

    /// <summary>The states that the next batch begins with; none where no state is carried from batch to batch. Saved and restored with a run.</summary>
    IReadOnlyList<CpuState> Tracks => [];

    /// <summary>A batch of training.</summary>
    /// <param name="number">0 for the first; asked for in order.</param>
    TrainingBatch Batch(long number);

    /// <summary>How many targets a batch has. Leaves carried states alone.</summary>
    /// <param name="number">0 for the first.</param>
    int TargetCount(long number) => Batch(number).TargetCount;

    /// <summary>The batches of validation: the same at each call.</summary>
    IEnumerable<TrainingBatch> Validation();
}
