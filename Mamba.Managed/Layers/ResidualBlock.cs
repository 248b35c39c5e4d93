namespace Mamba.Managed.Layers;

/// <summary>x + mixer(norm(x)).</summary>
/// <param name="Norm">Before the mixer.</param>
/// <param name="Mixer">What mixes over time.</param>
public sealed record ResidualBlock(RmsNorm Norm, SelectiveStateSpaceModel Mixer) : IParameterTree<ResidualBlock>
{
    /// <inheritdoc/>
    public ResidualBlock Map(string path, ParameterMap map) =>
        new(Norm.Map(path.Below("norm"), map), Mixer.Map(path.Below("mixer"), map));

    /// <summary>One line: the mixer.</summary>
    public override string ToString() => $"ResidualBlock of {Mixer}";
}
