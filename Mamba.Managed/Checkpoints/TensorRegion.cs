using Mamba.Managed.Tensors;

namespace Mamba.Managed.Checkpoints;

/// <summary>The type, shape and place of a tensor in a file, as a header states them, checked before anything is mapped.</summary>
internal sealed class TensorRegion
{
    /// <summary>The most tensors in all files of a model, so that a header cannot cost much more memory than its own length.</summary>
    public const int MaxCount = 1 << 14;

    /// <summary>The most dimensions of a tensor.</summary>
    public const int MaxRank = 8;

    private readonly int[] shape;

    private TensorRegion(ElementType type, int[] shape, long offset, long length)
    {
        this.shape = shape;
        Type = type;
        Offset = offset;
        Length = length;
    }

    /// <summary>How the elements are stored.</summary>
    public ElementType Type { get; }

    /// <summary>Dimensions, slowest first.</summary>
    public ReadOnlySpan<int> Shape => shape;

    /// <summary>Where the first element lies in the file, in bytes.</summary>
    public long Offset { get; }

    /// <summary>Length in bytes, computed from type and shape.</summary>
    public long Length { get; }

    /// <summary>Checks a shape and computes its length in bytes; the caller checks that these lie in the file.</summary>
    /// <exception cref="InvalidDataException">A dimension or the number of elements is out of range.</exception>
    public static TensorRegion Create(string name, ElementType type, ReadOnlySpan<long> shape, long offset)
    {
        if (shape.Length > MaxRank)
        {
            throw new InvalidDataException(Throw.Invariant($"{name}: expected at most {MaxRank} dimensions, found {shape.Length}"));
        }

        int[] dimensions = new int[shape.Length];
        long count = 1;
        for (int i = 0; i < shape.Length; i++)
        {
            if (shape[i] is < 0 or > int.MaxValue || (count *= shape[i]) > int.MaxValue)
            {
                throw new InvalidDataException(Throw.Invariant(
                    $"{name}: expected dimensions of at least 0 and at most {int.MaxValue} elements, found [{string.Join(", ", shape.ToArray())}]"));
            }

            dimensions[i] = (int)shape[i];
        }

        return new TensorRegion(type, dimensions, offset, count * type.Size());
    }

    /// <summary>The tensors that lie in a file.</summary>
    /// <param name="file">Owns them.</param>
    /// <param name="regions">By name; names that share a region share the tensor.</param>
    public static Dictionary<string, Tensor> Map(MappedFile file, IReadOnlyDictionary<string, TensorRegion> regions)
    {
        Dictionary<string, Tensor> tensors = new(regions.Count);
        Dictionary<TensorRegion, Tensor> mapped = new(regions.Count);
        foreach ((string name, TensorRegion region) in regions)
        {
            if (!mapped.TryGetValue(region, out Tensor? tensor))
            {
                mapped[region] = tensor = new Tensor(region.Type, region.Shape, file.Region(region.Offset, region.Length), 0);
            }

            tensors[name] = tensor;
        }

        return tensors;
    }
}
