using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>A tensor in a pickle: where it lies, or why it is of no use as a weight.</summary>
/// <remarks>One of an optimizer or of a random number generator may be of any kind, so what is wrong is said only of a tensor that is loaded.</remarks>
internal sealed class PickledTensor
{
    /// <summary>A tensor that is not elements in memory.</summary>
    public static readonly PickledTensor NotDense = new("dense elements, found a sparse, quantized or nested tensor; save it after .to_dense() or .dequantize()");

    private readonly TensorRegion? region;
    private readonly string problem = "";

    private PickledTensor(TensorRegion region) => this.region = region;

    private PickledTensor(string problem) => this.problem = problem;

    /// <summary>A tensor over a storage.</summary>
    /// <exception cref="InvalidDataException">It does not lie within the storage.</exception>
    public static PickledTensor Over(PickledStorage storage, long offset, long[] shape, long[] stride, OtherElements? type)
    {
        if (storage.Type is not { } stored)
        {
            return new($"float32, float16, bfloat16 or int64 elements, found {type?.Name ?? storage.TypeName}; convert it before saving, for example with .float()");
        }

        string name = "tensor of storage " + Shortened.Text(storage.Key);
        int size = stored.Size();
        if (offset < 0 || offset > storage.Length / size)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected an offset within {storage.Length / size} elements, found {offset}"));
        }

        TensorRegion region = TensorRegion.Create(name, stored, shape, storage.Offset + (offset * size));
        if (region.Length > storage.Length - (offset * size))
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected at most {storage.Length} bytes, found {region.Length} from element {offset}"));
        }

        return region.Length == 0 || IsRowMajor(shape, stride) ? new(region) : new("row-major elements, found other strides; save it after .contiguous()");
    }

    /// <summary>Where the tensor lies.</summary>
    /// <param name="name">Its name, for the error.</param>
    /// <exception cref="InvalidDataException">It is not row-major, or its elements are of a type that is not read.</exception>
    public TensorRegion Locate(string name) => region ?? throw new InvalidDataException($"{Shortened.Text(name)}: expected {problem}");

    private static bool IsRowMajor(long[] shape, long[] stride)
    {
        if (stride.Length != shape.Length)
        {
            return false;
        }

        long expected = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            // The stride of a dimension of length 1 is never used, and PyTorch stores an arbitrary value there.
            if (shape[i] != 1 && stride[i] != expected)
            {
                return false;
            }

            expected *= shape[i];
        }

        return true;
    }
}

/// <summary>The elements that tensors share.</summary>
/// <param name="Key">The name of the archive's entry.</param>
/// <param name="Type">The type of the elements; null for one that is not read.</param>
/// <param name="TypeName">The name of that type.</param>
/// <param name="Offset">The first byte in the file.</param>
/// <param name="Length">Length in bytes.</param>
internal sealed record PickledStorage(string Key, ElementType? Type, string TypeName, long Offset, long Length);
