using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>The source of a run's batches: documents, or a task that draws sequences.</summary>
/// <remarks>A batch depends on its number alone, so that a run resumed at a step gets the batches it would have had.</remarks>
public interface IBatchSource
{
    /// <summary>One line that two sources share only if they give the same batches; a run can be resumed only with the same line.</summary>
    string Description { get; }

    /// <summary>Whether <see cref="Validation"/> returns any batch.</summary>
    bool HasValidation { get; }

    /// <summary>The initial states of the next batch; none if no state is carried from batch to batch. Saved and restored with a run.</summary>
    IReadOnlyList<CpuState> Tracks => [];

    /// <summary>A batch of training.</summary>
    /// <param name="number">0 for the first; a run takes them in order.</param>
    TrainingBatch Batch(long number);

    /// <summary>The number of targets of a batch; carried states are not changed.</summary>
    /// <param name="number">0 for the first.</param>
    int TargetCount(long number) => Batch(number).TargetCount;

    /// <summary>The batches of validation: the same at each call.</summary>
    IEnumerable<TrainingBatch> Validation();
}
