namespace Mamba.Managed.Tensors;

/// <summary>Counts the uses of each buffer while weights are repacked, and frees a buffer after its last use, so that a model is never in memory twice.</summary>
/// <remarks>Two layers may share a tensor, and two tensors a buffer. Any number of threads may use it.</remarks>
internal sealed class BufferUses
{
    private readonly Dictionary<TensorBuffer, int> uses = [];

    /// <summary>Counts the uses of each buffer.</summary>
    /// <param name="tensors">Every tensor as often as it will be repacked.</param>
    public BufferUses(IEnumerable<Tensor> tensors)
    {
        foreach (Tensor tensor in tensors)
        {
            uses[tensor.Buffer] = uses.GetValueOrDefault(tensor.Buffer) + 1;
        }
    }

    /// <summary>Counts one use of a tensor as finished; the last use of a buffer frees it.</summary>
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
