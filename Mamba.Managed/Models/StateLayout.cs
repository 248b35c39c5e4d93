using System.Collections.Immutable;

namespace Mamba.Managed.Models;

/// <summary>One array of a sequence's state in the canonical form: float32, row-major.</summary>
/// <param name="Name">Its layer and kind: <c>layers.0.conv_state</c>.</param>
/// <param name="Shape">Its dimensions, the outermost first; <see cref="Position"/> stands for the state's position.</param>
public sealed record StateArray(string Name, ImmutableArray<int> Shape)
{
    /// <summary>The dimension that grows with the sequence: its length is the state's position.</summary>
    public const int Position = -1;

    /// <summary>Its dimensions, the outermost first; <see cref="Position"/> stands for the state's position.</summary>
    /// <exception cref="ArgumentException">Not initialized.</exception>
    public ImmutableArray<int> Shape { get; } = Shape.IsDefault ? Throw.Argument<ImmutableArray<int>>("expected dimensions, found none", nameof(Shape)) : Shape;

    /// <summary>How many numbers the array has.</summary>
    /// <param name="position">The number of tokens so far.</param>
    /// <exception cref="OverflowException">The number exceeds a long.</exception>
    public long Length(long position)
    {
        long length = 1;
        foreach (int dimension in Shape)
        {
            length = checked(length * (dimension == Position ? position : dimension));
        }

        return length;
    }

    /// <inheritdoc/>
    public bool Equals(StateArray? other) =>
        ReferenceEquals(this, other) || (other is not null && Name == other.Name && Shape.AsSpan().SequenceEqual(other.Shape.AsSpan()));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Name, Shape.Length);

    /// <summary>Name and shape, for example <c>layers.0.conv_state [4, 1536]</c>.</summary>
    public override string ToString() =>
        $"{Name} [{string.Join(", ", Shape.Select(dimension => dimension == Position ? "position" : Throw.Invariant($"{dimension}")))}]";
}

/// <summary>The arrays of a sequence's state in the canonical form, which is the same for all executors and versions.</summary>
/// <remarks>
/// The arrays follow one another without gaps. A layer of Mamba has <c>layers.N.conv_state</c> [d_conv, d_inner], the last inputs of its
/// convolution, oldest first, and <c>layers.N.ssm_state</c> [d_inner, d_state].
/// </remarks>
public sealed record StateLayout
{
    /// <summary>A layout of some arrays.</summary>
    /// <param name="arrays">In their order.</param>
    /// <exception cref="ArgumentException">A name is empty or appears twice, or a dimension is not positive.</exception>
    public StateLayout(ImmutableArray<StateArray> arrays)
    {
        HashSet<string> names = [];
        foreach (StateArray array in arrays.IsDefault ? [] : arrays)
        {
            ArgumentNullException.ThrowIfNull(array, nameof(arrays));
            if (string.IsNullOrEmpty(array.Name) || !names.Add(array.Name))
            {
                Throw.Argument($"expected a name of its own for each array, found '{array.Name}' again or empty", nameof(arrays));
            }

            if (array.Shape.IsDefault || array.Shape.Any(dimension => dimension < 1 && dimension != StateArray.Position))
            {
                Throw.Argument($"expected positive dimensions or {nameof(StateArray)}.{nameof(StateArray.Position)}, found others in {array.Name}", nameof(arrays));
            }
        }

        Arrays = arrays.IsDefault ? [] : arrays;
    }

    /// <summary>The arrays, in their order.</summary>
    public ImmutableArray<StateArray> Arrays { get; }

    /// <summary>The layout of a Mamba model's states.</summary>
    /// <exception cref="InvalidDataException">The configuration is not valid.</exception>
    public static StateLayout Of(MambaConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate();
        ImmutableArray<StateArray>.Builder arrays = ImmutableArray.CreateBuilder<StateArray>(2 * config.NLayer);
        for (int i = 0; i < config.NLayer; i++)
        {
            arrays.Add(new(Throw.Invariant($"layers.{i}.conv_state"), [config.DConv, config.DInner]));
            arrays.Add(new(Throw.Invariant($"layers.{i}.ssm_state"), [config.DInner, config.DState]));
        }

        return new(arrays.MoveToImmutable());
    }

    /// <summary>How many numbers all arrays have together.</summary>
    /// <param name="position">The number of tokens so far.</param>
    /// <exception cref="OverflowException">The number exceeds a long.</exception>
    public long Length(long position)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        long length = 0;
        foreach (StateArray array in Arrays)
        {
            length = checked(length + array.Length(position));
        }

        return length;
    }

    /// <inheritdoc/>
    public bool Equals(StateLayout? other) => ReferenceEquals(this, other) || (other is not null && Arrays.AsSpan().SequenceEqual(other.Arrays.AsSpan()));

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Arrays.Length, Arrays.IsEmpty ? null : Arrays[0]);

    /// <summary>The first arrays and how many there are.</summary>
    public override string ToString() => Throw.Invariant($"{Arrays.Length} arrays: {string.Join(", ", Arrays.Take(2))}{(Arrays.Length > 2 ? ", ..." : "")}");
}
