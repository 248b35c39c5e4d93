namespace Mamba.Managed.Tensors;

/// <summary>Gives the memory of tensors back once the last that shares it was taken over, so that a model is never in memory twice.</summary>
/// <remarks>Two layers may share a tensor, and two tensors a buffer. Any number of threads may use it.</remarks>
internal sealed class BufferUses
{
    private readonly Dictionary<TensorBuffer, int> uses = [];

    /// <summary>Counts the uses.</summary>
    /// <param name="tensors">Every tensor as often as it will be taken over.</param>
    public BufferUses(IEnumerable<Tensor> tensors)
    {
        foreach (Tensor tensor in tensors)
        {
            uses[tensor.Buffer] = uses.GetValueOrDefault(tensor.Buffer) + 1;
        }
    }

    /// <summary>Says that a tensor was taken over once.</summary>
    public void Done(Tensor tensor)
    {
        lock (uses)
        {
            if (--uses[tensor.Buffer] > 0)
            {
                return;
            }
        }

        tensor.Buffer.GiveBack();
    }
}
