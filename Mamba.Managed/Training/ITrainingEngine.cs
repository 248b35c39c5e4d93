using Mamba.Managed.Models;

namespace Mamba.Managed.Training;

/// <summary>One model in training on some device: weights, gradients, moments and averaged weights live there; the host holds copies of them.</summary>
/// <remarks>
/// A <see cref="Trainer"/> drives it; a step is
/// <code>
/// ClearGradients    Run(batch) ...    Step(learning rate)
/// </code>
/// The host's copies are trees of the model's own shape. They are what checkpoints are written from and read into: <see cref="Download"/> brings
/// them up to date, <see cref="Upload"/> takes over what was written into them. The same calls give the same bits, run after run; two kinds of
/// engines agree within rounding. Calls from several threads are serialized.
/// </remarks>
public interface ITrainingEngine : IDisposable
{
    /// <summary>The weights in the host's memory.</summary>
    MambaLanguageModel Model { get; }

    /// <summary>The averaged weights in the host's memory; null where none are kept.</summary>
    MambaLanguageModel? Average { get; }

    /// <summary>The first moment of every gradient in the host's memory.</summary>
    MambaLanguageModel FirstMoments { get; }

    /// <summary>The second moment of every gradient in the host's memory.</summary>
    MambaLanguageModel SecondMoments { get; }

    /// <summary>Steps made.</summary>
    long Steps { get; }

    /// <summary>Sets every gradient to zero.</summary>
    /// <exception cref="ObjectDisposedException">The engine has been disposed.</exception>
    void ClearGradients();

    /// <summary>The loss of a batch; its gradients are added to those of the batches since <see cref="ClearGradients"/>.</summary>
    /// <param name="batch">The tokens; its states are advanced, its state gradients propagated back to the beginning.</param>
    /// <param name="divisor">The divisor of the summed loss: the number of targets of all accumulated batches; 0 for that of this batch.</param>
    /// <param name="dropout">Drops entries of each block's output; none by default.</param>
    /// <exception cref="ArgumentException">The batch does not fit the model; nothing was changed.</exception>
    /// <exception cref="NonFiniteException">The loss is not finite: the gradients must be cleared; nothing else has changed.</exception>
    /// <exception cref="ObjectDisposedException">The engine or a state has been disposed; nothing was changed.</exception>
    TrainingLoss Run(TrainingBatch batch, double divisor = 0, Dropout dropout = default);

    /// <summary>The loss of a batch, without gradients.</summary>
    /// <param name="batch">The tokens; its states are advanced.</param>
    /// <param name="averaged">Whether with the averaged weights; where none are kept, those of <see cref="Model"/> are meant in both cases.</param>
    /// <exception cref="ArgumentException">The batch does not fit the model; nothing was changed.</exception>
    /// <exception cref="ObjectDisposedException">The engine or a state has been disposed; nothing was changed.</exception>
    TrainingLoss Evaluate(TrainingBatch batch, bool averaged = false);

    /// <summary>Moves the weights one step down the gradient, and the averaged weights after them.</summary>
    /// <param name="learningRate">From 0 to <see cref="AdamW.MaxLearningRate"/>.</param>
    /// <returns>The norm over all gradients before clipping.</returns>
    /// <remarks>A step that throws changes nothing.</remarks>
    /// <exception cref="ArgumentException">The learning rate is out of range.</exception>
    /// <exception cref="NonFiniteException">A gradient is not finite.</exception>
    /// <exception cref="ObjectDisposedException">The engine has been disposed.</exception>
    double Step(double learningRate);

    /// <summary>Brings the host's copies up to date; costs nothing where they are.</summary>
    /// <exception cref="ObjectDisposedException">The engine has been disposed.</exception>
    void Download();

    /// <summary>Takes over the host's copies as the weights, moments and averages after some steps.</summary>
    /// <param name="steps">Steps made.</param>
    /// <exception cref="ObjectDisposedException">The engine has been disposed.</exception>
    void Upload(long steps);
}
